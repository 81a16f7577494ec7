/** Pictures are compared at this size, whatever their shape. */
const COMPARED = { width: 160, height: 90 } as const;
export const COMPARED_BYTES = COMPARED.width * COMPARED.height;
/** Makes them, as raw video. */
export const COMPARED_FILTERS = `scale=${COMPARED.width}:${COMPARED.height}:flags=area,format=gray`;

/** A small picture of one byte of brightness for each pixel, row by row. */
interface GreyPicture {
  readonly width: number;
  readonly pixels: Uint8Array;
}

const LEVEL_COUNT = 32;
const MOST_BITS = Math.log2(LEVEL_COUNT);
/** Mean difference of neighbours, in levels of 256, from which on a picture counts as sharp. */
const SHARP_DIFFERENCE = 4;
/** Below and above these means a picture loses, until it is all black or white. */
const BRIGHTNESS = { black: 12, dark: 48, light: 208, white: 244 };

/**
 * How much there is to see, from 0 (black, or one colour) to 1: many levels of brightness, edges, and neither night nor fog.
 * A frame within a fade, a title on black and a blurred one come behind a scene.
 */
export function pictureScore({ width, pixels }: GreyPicture): number {
  if (pixels.length === 0) return 0;
  return varietyOf(pixels) * sharpnessOf(width, pixels) * brightnessFactor(meanOf(pixels));
}

/** Of a picture that `COMPARED_FILTERS` made. */
export function comparedScore(pixels: Uint8Array): number {
  return pictureScore({ width: COMPARED.width, pixels });
}

/** Entropy of the brightness, as a share of what it could be. */
function varietyOf(pixels: Uint8Array): number {
  const counts = new Uint32Array(LEVEL_COUNT);
  for (const pixel of pixels) {
    const level = (pixel * LEVEL_COUNT) >> 8;
    counts[level] = (counts[level] ?? 0) + 1;
  }
  let bits = 0;
  for (const count of counts) {
    const share = count / pixels.length;
    if (share > 0) bits -= share * Math.log2(share);
  }
  return bits / MOST_BITS;
}

function sharpnessOf(width: number, pixels: Uint8Array): number {
  let sum = 0;
  let count = 0;
  for (let at = 0; at < pixels.length; at += 1) {
    const pixel = pixels[at] ?? 0;
    if ((at + 1) % width !== 0) {
      sum += Math.abs(pixel - (pixels[at + 1] ?? pixel));
      count += 1;
    }
    if (at + width < pixels.length) {
      sum += Math.abs(pixel - (pixels[at + width] ?? pixel));
      count += 1;
    }
  }
  return Math.min(1, sum / Math.max(1, count) / SHARP_DIFFERENCE);
}

function meanOf(pixels: Uint8Array): number {
  return pixels.reduce((sum, pixel) => sum + pixel, 0) / pixels.length;
}

function brightnessFactor(mean: number): number {
  const { black, dark, light, white } = BRIGHTNESS;
  const rise = (mean - black) / (dark - black);
  const fall = (white - mean) / (white - light);
  return Math.max(0, Math.min(1, rise, fall));
}
