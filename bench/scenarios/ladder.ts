import { once } from "node:events";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { Headwater } from "../headwater.ts";
import { HD_SOURCE, makeSource } from "../load/source-media.ts";
import { readCpuSeconds } from "../process-usage.ts";
import type { Scenario, ScenarioContext, ScenarioResult } from "../scenario.ts";
import { median, show } from "../statistics.ts";

const AIM_RATIO = 1.03;
const ASK_MS = 250;

interface Pair {
  readonly encoderSeconds: number;
  readonly serverSeconds: number;
  /** The hand-written command, as fast as it goes, and at the pace of the source. */
  readonly plainSeconds: number;
  readonly pacedSeconds: number;
}

/** What the ladder costs beside the command that somebody would write by hand. */
export const ladder: Scenario = {
  name: "ladder",
  title: "processor time of a 720p and a 480p rung beside one ffmpeg command",
  seconds: 60,
  counts: [3],
  async run(context): Promise<ScenarioResult> {
    const { workplace, seconds, counts, say } = context;
    const path = await makeSource({ ...HD_SOURCE, directory: workplace.directory, seconds });
    const pairs: Pair[] = [];
    for (let number = 1; number <= (counts[0] ?? 1); number++) {
      const plainSeconds = await runByHand(path, false, context);
      const own = await runHeadwater(path, context);
      const pacedSeconds = await runByHand(path, true, context);
      pairs.push({ ...own, plainSeconds, pacedSeconds });
      const { encoderSeconds, serverSeconds } = own;
      say(
        `pair ${number}: ours ${show(encoderSeconds, 1)} + ${show(serverSeconds, 1)} s, by hand ${show(plainSeconds, 1)} s, paced ${show(pacedSeconds, 1)} s`,
      );
    }
    return describe(pairs, context);
  },
};

/** Publishes the file in real time with ffmpeg, and counts what the server and its encoder take until both are done. */
async function runHeadwater(
  path: string,
  { workplace }: ScenarioContext,
): Promise<Pick<Pair, "encoderSeconds" | "serverSeconds">> {
  const server = await Headwater.start({ workplace, flags: ["--live-reconnect-window", "1s"] });
  const { streamKey, streamId } = await server.createStream();
  const before = await readCpuSeconds(server.pid);
  const publisher = workplace.run([
    ...["ffmpeg", "-hide_banner", "-nostdin", "-loglevel", "error", "-re", "-i", path, "-c", "copy"],
    ...["-f", "flv", `rtmp://127.0.0.1:${server.rtmpPort}/live/${streamKey}`],
  ]);
  const [code] = await once(publisher.child, "exit", { signal: workplace.signal });
  if (code !== 0) throw new Error(`the publisher failed:\n${publisher.output()}`);
  // The encoder is done when it was waited for; its time counts for the server's ended children then.
  while (!(await isOver(server, streamId))) await workplace.wait(ASK_MS);
  const after = await readCpuSeconds(server.pid);
  await server.end();
  return { encoderSeconds: after.endedChildren - before.endedChildren, serverSeconds: after.own - before.own };
}

async function isOver(server: Headwater, streamId: string): Promise<boolean> {
  const { status } = (await server.ask("GET", `/api/v1/streams/${streamId}`)) as { status: string };
  const { streaming_ffmpeg_processes: running } = await server.metrics("streaming_ffmpeg_processes");
  return status === "ready" && running === 0;
}

/** The same rungs with the same settings of the encoder, as segments of fragmented MP4 in memory. */
async function runByHand(path: string, isPaced: boolean, { workplace }: ScenarioContext): Promise<number> {
  const directory = await workplace.makeMemoryDirectory();
  const encode = [
    "-c:v",
    "libx264",
    "-preset",
    "veryfast",
    "-tune",
    "zerolatency",
    "-profile:v",
    "main",
    "-threads:v",
    "2",
  ];
  const rates = (bps: number) => ["-b:v", `${bps}`, "-maxrate", `${bps * 1.2}`, "-bufsize", `${bps * 1.2}`];
  const keys = ["-bf", "0", "-g", "60", "-sc_threshold", "0", "-force_key_frames", "source"];
  const hls = (name: string) => [
    ...[
      "-f",
      "hls",
      "-hls_segment_type",
      "fmp4",
      "-hls_time",
      "2",
      "-hls_list_size",
      "10",
      "-hls_flags",
      "delete_segments",
    ],
    ...["-hls_fmp4_init_filename", `${name}.mp4`, `${directory}/${name}.m3u8`],
  ];
  const child = workplace.run(
    [
      ...["ffmpeg", "-hide_banner", "-nostats", "-loglevel", "error", "-filter_threads", "1", "-threads:v", "1"],
      ...(isPaced ? ["-re"] : []),
      ...["-f", "flv", "-i", "pipe:0"],
      ...[
        "-map",
        "0:v",
        "-map",
        "0:a",
        "-vf",
        "format=yuv420p",
        ...encode,
        "-level:v",
        "3.1",
        ...rates(2_000_000),
        ...keys,
      ],
      ...["-c:a", "aac", "-b:a", "128k", ...hls("medium")],
      ...[
        "-map",
        "0:v",
        "-map",
        "0:a",
        "-vf",
        "scale=854:480:flags=bicubic,format=yuv420p",
        ...encode,
        "-level:v",
        "3.1",
      ],
      ...[...rates(1_000_000), ...keys, "-c:a", "aac", "-b:a", "96k", ...hls("low")],
    ],
    { stdio: ["pipe", "pipe", "pipe"] },
  );
  const before = await readCpuSeconds(process.pid);
  const exit = once(child.child, "exit", { signal: workplace.signal });
  if (!child.child.stdin) throw new Error("no pipe");
  await pipeline(createReadStream(path), child.child.stdin);
  const [code] = await exit;
  if (code !== 0) throw new Error(`the command failed:\n${child.output()}`);
  return (await readCpuSeconds(process.pid)).endedChildren - before.endedChildren;
}

function describe(pairs: readonly Pair[], { seconds }: ScenarioContext): ScenarioResult {
  const middle = (of: (pair: Pair) => number) => median(pairs.map(of));
  const whole = middle((pair) => (pair.encoderSeconds + pair.serverSeconds) / pair.plainSeconds);
  const encoder = middle((pair) => pair.encoderSeconds / pair.plainSeconds);
  const paced = middle((pair) => (pair.encoderSeconds + pair.serverSeconds) / pair.pacedSeconds);
  return {
    aims: [
      {
        aim: `at most ${show(AIM_RATIO, 2)}x of plain ffmpeg at the pace of the source`,
        measured: `${show(paced, 3)}x with ingest, packaging and serving; beside the command that may run ahead ${show(whole, 3)}x, of which the encoder ${show(encoder, 3)}x`,
        isMet: paced <= AIM_RATIO,
      },
    ],
    tables: [
      {
        caption: `Processor seconds for ${seconds} s of media:`,
        head: [
          "pair",
          "our encoder",
          "our server",
          "by hand",
          "by hand, paced",
          "all of ours / by hand",
          "all of ours / paced",
        ],
        rows: pairs.map((pair, at) => {
          const { encoderSeconds, serverSeconds, plainSeconds, pacedSeconds } = pair;
          const ours = encoderSeconds + serverSeconds;
          const seconds_ = [encoderSeconds, serverSeconds, plainSeconds, pacedSeconds].map((value) => show(value, 2));
          return [`${at + 1}`, ...seconds_, `${show(ours / plainSeconds, 3)}x`, `${show(ours / pacedSeconds, 3)}x`];
        }),
      },
    ],
    notes: [
      `Source: 1280x720 at 30 frames per second, 4 Mbit/s, published in real time; rungs of the default ladder: 720p of 2 Mbit/s and 480p of 1 Mbit/s, libx264 veryfast, zerolatency. Medians of ${pairs.length} pairs.`,
      "By hand: one ffmpeg that reads the same file from a pipe as fast as it can and writes the same rungs as HLS with fragmented MP4 to memory. Paced: the same with `-re`, which is what a live source makes of it and of us: no frame waits for the next, so threads sleep and wake for each.",
      "Our server's seconds hold all that it does: RTMP, the source passed through, parts and segments of all renditions, playlists.",
    ],
    figures: { pairs, whole, encoder, paced },
  };
}
