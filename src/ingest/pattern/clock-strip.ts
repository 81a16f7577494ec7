/**
 * The clock at the foot of the test picture: UTC time for people, and under it a bar code of the same instant for
 * machines. Imports nothing, so that a web page can measure with it how old the picture is that it shows.
 *
 * The bar code is one row of 40 cells, black for 0 and white for 1, most significant bit first: 32 bits of the
 * milliseconds since the Unix epoch modulo 2^32, then 8 bits of check sum. A cell is 32x32 pixels of a 1280x720
 * picture, so it is still 6x6 when that is scaled down to 240p.
 */

/** The whole picture; the strip is its foot. */
export const PATTERN_WIDTH = 1280;
export const PATTERN_HEIGHT = 720;
export const STRIP_HEIGHT = 96;
export const STRIP_BYTES = PATTERN_WIDTH * STRIP_HEIGHT;

const VALUE_BITS = 32;
const CHECK_BITS = 8;
const CELL_PIXELS = PATTERN_WIDTH / (VALUE_BITS + CHECK_BITS);
const BARS_TOP = STRIP_HEIGHT - CELL_PIXELS;
const BLACK = 0;
const WHITE = 255;
/** Of segments that are not lit. */
const DIM = 28;
const THRESHOLD = 128;
const WRAP_MS = 2 ** VALUE_BITS;

/** Luma, 0 to 255, at a place of the strip; (0, 0) is its upper left corner. */
export type LumaAt = (x: number, y: number) => number;

/** Draws the clock into `strip`: STRIP_BYTES of luma, row by row. */
export function drawClock(strip: Uint8Array, epochMs: number): void {
  strip.fill(BLACK);
  drawDigits(strip, new Date(epochMs).toISOString().slice(11, 23));
  const bits = encodeInstant(Math.floor(epochMs));
  bits.forEach((isWhite, index) => {
    if (isWhite) fillBox(strip, index * CELL_PIXELS, BARS_TOP, CELL_PIXELS, CELL_PIXELS, WHITE);
  });
}

/**
 * The instant that a strip shows, in ms since the Unix epoch; undefined when there is no readable bar code. Of the
 * instants 49.7 days apart that look alike it is the one nearest to `nearMs`.
 */
export function readClock(lumaAt: LumaAt, nearMs: number): number | undefined {
  let value = 0;
  for (let bit = 0; bit < VALUE_BITS; bit++) value = value * 2 + readCell(lumaAt, bit);
  let check = 0;
  for (let bit = 0; bit < CHECK_BITS; bit++) check = check * 2 + readCell(lumaAt, VALUE_BITS + bit);
  if (check !== checkSum(value)) return undefined;
  return value + Math.round((nearMs - value) / WRAP_MS) * WRAP_MS;
}

/** `readClock` of a whole picture of any size, as a canvas gives it: four bytes per pixel. */
export function readClockOfPicture(
  rgba: Uint8Array | Uint8ClampedArray,
  width: number,
  height: number,
  nearMs: number,
): number | undefined {
  const lumaAt: LumaAt = (stripX, stripY) => {
    const x = Math.min(width - 1, Math.floor((stripX * width) / PATTERN_WIDTH));
    const pictureY = PATTERN_HEIGHT - STRIP_HEIGHT + stripY;
    const y = Math.min(height - 1, Math.floor((pictureY * height) / PATTERN_HEIGHT));
    const at = (y * width + x) * 4;
    return 0.299 * (rgba[at] ?? 0) + 0.587 * (rgba[at + 1] ?? 0) + 0.114 * (rgba[at + 2] ?? 0);
  };
  return readClock(lumaAt, nearMs);
}

/** The middle of a cell, because scaling and compression blur its edges. */
function readCell(lumaAt: LumaAt, index: number): 0 | 1 {
  let sum = 0;
  for (const across of [0.35, 0.5, 0.65]) {
    for (const down of [0.35, 0.5, 0.65]) {
      sum += lumaAt((index + across) * CELL_PIXELS, BARS_TOP + down * CELL_PIXELS);
    }
  }
  return sum / 9 >= THRESHOLD ? 1 : 0;
}

function encodeInstant(epochMs: number): boolean[] {
  const value = ((epochMs % WRAP_MS) + WRAP_MS) % WRAP_MS;
  return [...bitsOf(value, VALUE_BITS), ...bitsOf(checkSum(value), CHECK_BITS)];
}

function bitsOf(value: number, count: number): boolean[] {
  return Array.from({ length: count }, (_, index) => Math.floor(value / 2 ** (count - 1 - index)) % 2 === 1);
}

/** CRC-8 (polynomial 0x07, start 0xff, inverted ends): a picture all black or all white does not pass for a clock. */
function checkSum(value: number): number {
  let crc = 0xff;
  for (const shift of [24, 16, 8, 0]) {
    crc ^= Math.floor(value / 2 ** shift) & 0xff;
    for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x80 ? 0x07 : 0)) & 0xff;
  }
  return crc ^ 0x55;
}

/** Which of the seven segments a digit lights: top, upper left, upper right, middle, lower left, lower right, bottom. */
const SEGMENTS_OF_DIGITS = [
  [1, 1, 1, 0, 1, 1, 1],
  [0, 0, 1, 0, 0, 1, 0],
  [1, 0, 1, 1, 1, 0, 1],
  [1, 0, 1, 1, 0, 1, 1],
  [0, 1, 1, 1, 0, 1, 0],
  [1, 1, 0, 1, 0, 1, 1],
  [1, 1, 0, 1, 1, 1, 1],
  [1, 0, 1, 0, 0, 1, 0],
  [1, 1, 1, 1, 1, 1, 1],
  [1, 1, 1, 1, 0, 1, 1],
] as const;

const DIGIT = { width: 32, height: 52, stroke: 6, gap: 14, top: 6 } as const;
const MARK_WIDTH = DIGIT.stroke;
const LONG = (DIGIT.height - DIGIT.stroke) / 2 + DIGIT.stroke;

/** Left, top, width, height of each segment within a digit. */
const SEGMENT_BOXES = [
  [0, 0, DIGIT.width, DIGIT.stroke],
  [0, 0, DIGIT.stroke, LONG],
  [DIGIT.width - DIGIT.stroke, 0, DIGIT.stroke, LONG],
  [0, LONG - DIGIT.stroke, DIGIT.width, DIGIT.stroke],
  [0, LONG - DIGIT.stroke, DIGIT.stroke, LONG],
  [DIGIT.width - DIGIT.stroke, LONG - DIGIT.stroke, DIGIT.stroke, LONG],
  [0, DIGIT.height - DIGIT.stroke, DIGIT.width, DIGIT.stroke],
] as const;

/** `text` is of digits, colons and one dot; it stands in the middle. */
function drawDigits(strip: Uint8Array, text: string): void {
  const widths = [...text].map((sign) => (isDigit(sign) ? DIGIT.width : MARK_WIDTH) + DIGIT.gap);
  let x = Math.floor((PATTERN_WIDTH - widths.reduce((sum, width) => sum + width, -DIGIT.gap)) / 2);
  [...text].forEach((sign, index) => {
    if (isDigit(sign)) drawDigit(strip, x, Number(sign));
    else drawMark(strip, x, sign === ":");
    x += widths[index] ?? 0;
  });
}

function isDigit(sign: string): boolean {
  return sign >= "0" && sign <= "9";
}

function drawDigit(strip: Uint8Array, x: number, digit: number): void {
  const lit = SEGMENTS_OF_DIGITS[digit];
  // Unlit segments first: they shimmer through, as they do in the real thing, and must not cover the lit ones.
  for (const level of [DIM, WHITE]) {
    SEGMENT_BOXES.forEach(([left, top, width, height], index) => {
      if ((lit?.[index] === 1) === (level === WHITE)) {
        fillBox(strip, x + left, DIGIT.top + top, width, height, level);
      }
    });
  }
}

function drawMark(strip: Uint8Array, x: number, isColon: boolean): void {
  const { top, height, stroke } = DIGIT;
  if (isColon) fillBox(strip, x, top + height / 2 - 2 * stroke, stroke, stroke, WHITE);
  fillBox(strip, x, isColon ? top + height / 2 + stroke : top + height - stroke, stroke, stroke, WHITE);
}

function fillBox(strip: Uint8Array, left: number, top: number, width: number, height: number, level: number): void {
  for (let y = top; y < top + height; y++) {
    strip.fill(level, y * PATTERN_WIDTH + left, y * PATTERN_WIDTH + left + width);
  }
}
