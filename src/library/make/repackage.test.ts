import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import {
  decodeErrors,
  frameTimes,
  joinChunks,
  makeTools,
  openSource,
  probeFile,
  sourceDirectory,
  writeSource,
} from "../../../test/support/source-files.ts";
import type { SourceMedia } from "../probe/source-media.ts";
import type { MadeChunk, RepackageOutcome, RepackageRequest } from "./contract.ts";
import { repackage } from "./repackage.ts";

const directory = await sourceDirectory();
const tools = await makeTools();
const at = (name: string) => join(directory, name);

const GRID = { segmentTargetMs: 1000, chunkTargetMs: 2000 };
const PICTURE = ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=30000/1001:duration=4"];
const SOUND = ["-f", "lavfi", "-i", "sine=sample_rate=48000:duration=4"];
const x264 = (...params: string[]) => ["-c:v", "libx264", "-preset", "ultrafast", "-g", "40", "-bf", "2", ...params];

interface Copied {
  readonly outcomes: readonly RepackageOutcome[];
  readonly chunks: ReadonlyMap<string, readonly MadeChunk[]>;
}

let runCount = 0;

async function copy(path: string, change: Partial<RepackageRequest> = {}): Promise<Copied> {
  runCount += 1;
  const { media, source } = await openSource(tools, path);
  const chunks = new Map<string, MadeChunk[]>();
  const outcomes = await repackage(tools, {
    ...{ source, grid: GRID, signal: new AbortController().signal, tracks: tracksOf(media) },
    onChunk: async (chunk) => {
      chunks.set(chunk.renditionId, [...(chunks.get(chunk.renditionId) ?? []), chunk]);
    },
    ...change,
  });
  return { outcomes, chunks };
}

function tracksOf(media: SourceMedia): RepackageRequest["tracks"] {
  const track = (kind: "video" | "audio", { index }: { readonly index: number }) => {
    const renditionId = `${kind}${index}`;
    return { kind, renditionId, streamIndex: index, keyPrefix: `${runCount}/${renditionId}/` };
  };
  return [
    ...media.video.map((stream) => track("video", stream)),
    ...media.audio.map((stream) => track("audio", stream)),
  ];
}

/** MD5 of what each packet of a stream carries, in the order of decoding. */
async function packetHashes(path: string, stream: string): Promise<unknown[]> {
  const ask = ["-select_streams", stream, "-show_data_hash", "md5", "-show_entries", "packet=data_hash"];
  return ((await probeFile(path, ...ask)).packets ?? []).map((packet) => packet.data_hash);
}

const CONTAINERS = { mp4: [], mov: [], mkv: [] } as const;

for (const container of Object.keys(CONTAINERS)) {
  test(`copies H.264 and AAC out of ${container} to the byte`, { timeout: 120_000 }, async () => {
    const path = await writeSource(...PICTURE, ...SOUND, ...x264(), "-c:a", "aac", at(`plain.${container}`));
    const { outcomes, chunks } = await copy(path);
    assert.deepEqual(
      outcomes.map(({ kind, renditionId }) => [renditionId, kind]),
      [
        ["video0", "made"],
        ["audio1", "made"],
      ],
    );
    const video = chunks.get("video0") ?? [];
    const videoFile = await joinChunks(tools.store, video, at(`copy-${container}.mp4`));
    assert.deepEqual(await packetHashes(videoFile, "v:0"), await packetHashes(path, "v:0"));
    assert.deepEqual(await frameTimes(videoFile), await frameTimes(path));
    assert.equal(await decodeErrors(videoFile), "");
    assert.deepEqual(
      video.map(({ index, isLast }) => [index, isLast]),
      [
        [0, false],
        [1, false],
        [2, true],
      ],
    );
    // Key frames are 40 frames apart; a segment begins with the first at or after each second.
    const starts = video.map(({ segments }) => segments.map(({ start }) => Math.round(start / 3003)));
    assert.deepEqual(starts, [[0], [40], [80]]);
    const audio = chunks.get("audio1") ?? [];
    const audioFile = await joinChunks(tools.store, audio, at(`copy-audio-${container}.mp4`));
    assert.equal(await decodeErrors(audioFile), "");
    const [own, all] = [await packetHashes(audioFile, "a:0"), await packetHashes(path, "a:0")];
    assert.ok(own.length >= all.length - 2, "nothing but priming is left out");
    assert.deepEqual(own, all.slice(all.length - own.length));
    const first = audio[0]?.segments[0];
    assert.ok(first && first.start <= 1024, "sound begins within a unit of the picture");
    for (const segment of audio.flatMap(({ segments }) => segments).slice(0, -1)) {
      assert.equal(segment.duration, segment.frameCount * 1024);
    }
  });
}

test("hands on the first chunk before the last is read", { timeout: 120_000 }, async () => {
  const path = await writeSource(...PICTURE, ...x264(), at("early.mp4"));
  const stop = new AbortController();
  const onChunk = async () => stop.abort(new Error("seen"));
  await assert.rejects(copy(path, { onChunk, signal: stop.signal }), /seen/);
  assert.deepEqual(
    await Array.fromAsync(tools.store.list(`${runCount}/video0/1/`)),
    [],
    "no more is left in the store",
  );
});

test("ends when a chunk cannot be taken, though most of the film is unread", { timeout: 120_000 }, async () => {
  const picture = ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30:duration=4", "-vf", "noise=alls=80:allf=t"];
  const path = await writeSource(...picture, ...x264("-qp", "10"), at("large.mp4"));
  const onChunk = () => Promise.reject(new Error("no room"));
  await assert.rejects(copy(path, { onChunk }), /no room/);
});

test("refuses open groups of pictures that are too long between closed ones", { timeout: 120_000 }, async () => {
  const path = await writeSource(...PICTURE, ...x264("-x264-params", "open-gop=1:keyint=20"), at("open.mp4"));
  const { outcomes } = await copy(path, { mostGopMs: 2000 });
  assert.deepEqual(outcomes, [
    {
      ...{ renditionId: "video0", kind: "not-repackageable", reason: "GOP_TOO_LONG" },
      message: "key frames are more than 2 s apart",
    },
  ]);
});

test("goes on with the sound when the picture cannot be copied", { timeout: 120_000 }, async () => {
  const path = await writeSource(...PICTURE, ...SOUND, ...x264("-g", "1000"), "-c:a", "aac", at("mixed.mp4"));
  const { outcomes, chunks } = await copy(path, { mostGopMs: 2000 });
  assert.deepEqual(
    outcomes.map(({ kind }) => kind),
    ["not-repackageable", "made"],
  );
  assert.equal(chunks.get("video0"), undefined);
  assert.equal(chunks.get("audio1")?.at(-1)?.isLast, true);
  assert.deepEqual(await Array.fromAsync(tools.store.list(`${runCount}/video0/`)), []);
});

test("refuses an edit that begins within a group of pictures", { timeout: 120_000 }, async () => {
  const whole = await writeSource(...PICTURE, ...x264("-g", "30"), at("whole.mp4"));
  const path = await writeSource("-ss", "1.5", "-i", whole, "-c", "copy", at("edited.mp4"));
  const [outcome] = (await copy(path)).outcomes;
  assert.ok(outcome?.kind === "not-repackageable" && outcome.reason === "OPEN_GOP");
});

test("refuses codecs of pictures that are not copied, and sound that begins late", { timeout: 120_000 }, async () => {
  const late = ["-itsoffset", "0.5", ...SOUND];
  const path = await writeSource(...PICTURE, ...late, "-c:v", "mpeg4", "-c:a", "aac", at("other.mkv"));
  const { outcomes } = await copy(path);
  const reasons = outcomes.map((outcome) => outcome.kind === "not-repackageable" && outcome.reason);
  assert.deepEqual(reasons, ["CODEC", "AUDIO_HOLES"]);
});

test("refuses what tells no times, as AVI with B-frames", { timeout: 120_000 }, async () => {
  const path = await writeSource(...PICTURE, ...x264(at("b.avi")));
  const [outcome] = (await copy(path)).outcomes;
  assert.equal(outcome?.kind, "not-repackageable");
});

for (const codec of ["ac3", "eac3", "libopus", "flac"]) {
  test(`copies ${codec}`, { timeout: 120_000 }, async () => {
    const path = await writeSource(...PICTURE, ...SOUND, ...x264(), "-c:a", codec, at(`${codec}.mkv`));
    const { outcomes, chunks } = await copy(path);
    assert.deepEqual(
      outcomes.map(({ kind }) => kind),
      ["made", "made"],
    );
    const file = await joinChunks(tools.store, chunks.get("audio1") ?? [], at(`copy-${codec}.mp4`));
    assert.equal(await decodeErrors(file), "");
    const made = outcomes[1];
    assert.ok(made?.kind === "made" && Math.abs(made.endTicks / made.timescale - 4) < 0.05);
  });
}
