export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** The largest even size of the same shape with no side beyond `mostSide`; never larger than it is. */
export function sizeWithin({ width, height }: PictureSize, mostSide: number): PictureSize {
  const scale = Math.min(1, mostSide / Math.max(width, height));
  return { width: even(width * scale), height: even(height * scale) };
}

function even(length: number): number {
  return Math.max(2, Math.round(length / 2) * 2);
}
