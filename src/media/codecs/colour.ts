import type { ColourDescription } from "../format.ts";

const RESERVED = 0;
const UNSPECIFIED = 2;

/** The description, or undefined when all three of its code points only say that they say nothing. */
export function describedColour(colour: ColourDescription): ColourDescription | undefined {
  const codes = [colour.primaries, colour.transfer, colour.matrix];
  return codes.every((code) => code === UNSPECIFIED || code === RESERVED) ? undefined : colour;
}
