import { rescale, type Ticks } from "../../media/timebase.ts";

/** Only the head is wanted: a line for each stream's properties, then one for each frame. */
const MOST_BYTES = 64 * 1024;

/**
 * The presentation time of the first frame that ffmpeg's `framecrc` format tells of, in ticks of `timescale`; undefined when
 * there is none.
 */
export async function readFirstFrameTime(
  pieces: AsyncIterable<Uint8Array>,
  timescale: number,
): Promise<Ticks | undefined> {
  let text = "";
  for await (const piece of pieces) {
    if (text.length < MOST_BYTES) text += Buffer.from(piece).toString("latin1");
  }
  return firstFrameTime(text, timescale);
}

export function firstFrameTime(text: string, timescale: number): Ticks | undefined {
  const base = /^#tb 0: (\d+)\/(\d+)$/m.exec(text);
  const frame = /^0,\s*-?\d+,\s*(-?\d+),/m.exec(text);
  if (!base || !frame) return undefined;
  return rescale(Number(frame[1]) * Number(base[1]), Number(base[2]), timescale);
}
