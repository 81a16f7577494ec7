import { VIDEO_TIMESCALE } from "../../media/timebase.ts";
import type { MakeText } from "./contract.ts";
import { runFfmpeg } from "./ffmpeg-run.ts";
import { GatheredOutput } from "./gathered-output.ts";
import { sourceArguments } from "./source-arguments.ts";
import { shiftWebVtt } from "./web-vtt.ts";

/** Three hours of talk are some 300 kB. */
const MOST_TEXT_BYTES = 16 * 1024 * 1024;

export const makeText: MakeText = async (tools, { source, text, signal }) => {
  const output = new GatheredOutput(MOST_TEXT_BYTES, "a text track");
  await runFfmpeg(tools, {
    access: source.access,
    signal,
    arguments: [...sourceArguments(source), "-map", `0:${text.index}`, "-c:s", "webvtt", "-f", "webvtt", "pipe:3"],
    readers: [output.read],
  });
  const zeroMs = Math.round((source.zeroTicks * 1000) / VIDEO_TIMESCALE);
  return Buffer.from(shiftWebVtt(output.bytes.toString("utf8"), -zeroMs));
};
