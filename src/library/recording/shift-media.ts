import { type Box, childBoxes, malformedBox, readBoxes } from "../../media/isobmff/box.ts";
import type { Ticks } from "../../media/timebase.ts";

/** A CMAF segment with `byTicks` added to the decode time of each of its fragments; what it had before stays as it is. Throws MalformedInput. */
export function shiftMedia(segment: Uint8Array, byTicks: Ticks): Uint8Array {
  const shifted = Uint8Array.from(segment);
  for (const moof of readBoxes(shifted).filter(({ type }) => type === "moof")) {
    for (const traf of childBoxes(moof).filter(({ type }) => type === "traf")) {
      for (const tfdt of childBoxes(traf).filter(({ type }) => type === "tfdt")) shiftDecodeTime(tfdt, byTicks);
    }
  }
  return shifted;
}

/** Its body is a view of the segment. */
function shiftDecodeTime(tfdt: Box, byTicks: Ticks): void {
  const { body } = tfdt;
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  if (body[0] !== 1 || body.length < 12) throw malformedBox(tfdt, "is not one of ours");
  const time = Number(view.getBigUint64(4)) + byTicks;
  view.setBigUint64(4, BigInt(Math.max(0, time)));
}
