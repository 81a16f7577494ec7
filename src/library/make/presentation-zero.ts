import { DomainError } from "../../core/errors.ts";
import { type Ticks, VIDEO_TIMESCALE } from "../../media/timebase.ts";
import type { FindPresentationZero } from "./contract.ts";
import { runFfmpeg } from "./ffmpeg-run.ts";
import { readFirstFrameTime } from "./framecrc.ts";
import { sourceArguments } from "./source-arguments.ts";

/**
 * The first picture is where a video begins: players show it at once, whatever sound lies before it is priming or a
 * fraction of a second that nobody misses, and sound that comes later gets silence before it.
 */
export const findPresentationZero: FindPresentationZero = async (tools, source, stream, signal) => {
  // Rounded as frames of a chunk are, so that the first one is at 0 exactly.
  const filters = { video: ["-vf", `settb=1/${VIDEO_TIMESCALE},scale=16:16,format=gray`], audio: [] };
  const output = {
    video: ["-fps_mode", "passthrough", "-enc_time_base", `1:${VIDEO_TIMESCALE}`, "-c:v", "rawvideo"],
    audio: ["-c:a", "pcm_s16le"],
  };
  let zero: Ticks | undefined;
  await runFfmpeg(tools, {
    access: source.access,
    signal,
    arguments: [
      ...sourceArguments(source),
      ...["-map", `0:${stream.index}`, ...filters[stream.kind], ...output[stream.kind]],
      ...["-frames", "1", "-f", "framecrc", "pipe:3"],
    ],
    readers: [
      async (pieces) => {
        zero = await readFirstFrameTime(pieces, VIDEO_TIMESCALE);
      },
    ],
  });
  if (zero === undefined) throw new DomainError("MEDIA_DAMAGED", `no frame of its ${stream.kind} can be decoded`);
  return zero;
};
