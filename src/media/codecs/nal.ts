import { MalformedInput } from "../../core/errors.ts";

/**
 * Whether the first NAL unit of length-prefixed `data` for which `judge` has an answer says true. Undefined from `judge`
 * looks further; false when none answers. Throws MalformedInput when a length reaches past the end.
 */
export function judgeNalUnits(
  data: Uint8Array,
  lengthSize: number,
  judge: (firstByte: number) => boolean | undefined,
): boolean {
  let at = 0;
  while (at < data.length) {
    const length = readNalLength(data, at, lengthSize);
    at += lengthSize;
    if (length > data.length - at) throw new MalformedInput("NAL units", at, `length ${length} reaches past the end`);
    const answer = length > 0 ? judge(data[at] ?? 0) : undefined;
    if (answer !== undefined) return answer;
    at += length;
  }
  return false;
}

/** Views of the NAL units of length-prefixed `data`. Throws MalformedInput when a length reaches past the end. */
export function nalUnits(data: Uint8Array, lengthSize: number): Uint8Array[] {
  const units: Uint8Array[] = [];
  for (let at = 0; at < data.length; ) {
    const length = readNalLength(data, at, lengthSize);
    at += lengthSize;
    if (length > data.length - at) throw new MalformedInput("NAL units", at, `length ${length} reaches past the end`);
    units.push(data.subarray(at, at + length));
    at += length;
  }
  return units;
}

function readNalLength(data: Uint8Array, at: number, lengthSize: number): number {
  if (lengthSize > data.length - at) throw new MalformedInput("NAL units", at, "length field is cut off");
  let length = 0;
  for (let i = 0; i < lengthSize; i += 1) length = length * 256 + (data[at + i] ?? 0);
  return length;
}
