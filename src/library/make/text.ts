import { DomainError } from "../../core/errors.ts";
import { VIDEO_TIMESCALE } from "../../media/timebase.ts";
import type { MakeText } from "./contract.ts";
import { runFfmpeg } from "./ffmpeg-run.ts";
import { sourceArguments } from "./source-arguments.ts";
import { shiftWebVtt } from "./web-vtt.ts";

/** Three hours of talk are some 300 kB. */
const MOST_TEXT_BYTES = 16 * 1024 * 1024;

export const makeText: MakeText = async (tools, { source, text, signal }) => {
  const pieces: Uint8Array[] = [];
  let byteCount = 0;
  await runFfmpeg(tools, {
    access: source.access,
    signal,
    arguments: [...sourceArguments(source), "-map", `0:${text.index}`, "-c:s", "webvtt", "-f", "webvtt", "pipe:3"],
    readers: [
      async (output) => {
        for await (const piece of output) {
          byteCount += piece.length;
          if (byteCount > MOST_TEXT_BYTES)
            throw new DomainError("MEDIA_DAMAGED", "a text track is larger than any text");
          pieces.push(piece);
        }
      },
    ],
  });
  const zeroMs = Math.round((source.zeroTicks * 1000) / VIDEO_TIMESCALE);
  return Buffer.from(shiftWebVtt(Buffer.concat(pieces).toString("utf8"), -zeroMs));
};
