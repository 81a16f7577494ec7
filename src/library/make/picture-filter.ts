import { VIDEO_TIMESCALE } from "../../media/timebase.ts";
import type { PictureTreatment } from "../plan/video-plan.ts";
import type { SourceVideo } from "../probe/source-media.ts";

/** What pictures say of their colours, in ffmpeg's words. */
export interface PictureColour {
  readonly primaries: string;
  readonly transfer: string;
  readonly matrix: string;
}

/** Where a stream of more than this many lines says nothing, it means BT.709: what players take it for. */
const STANDARD_DEFINITION_LINES = 576;
const BT709: PictureColour = { primaries: "bt709", transfer: "bt709", matrix: "bt709" };
const BT601: PictureColour = { primaries: "smpte170m", transfer: "smpte170m", matrix: "smpte170m" };

/** What every player shows right; all else is brought to BT.709. */
const KEPT_PRIMARIES = new Set(["bt709", "smpte170m", "bt470bg", "bt470m", "smpte240m"]);
const KEPT_TRANSFERS = new Set(["bt709", "smpte170m", "bt470bg", "bt470m", "smpte240m", "iec61966-2-1"]);
const SWSCALE_MATRICES: Readonly<Record<string, string>> = {
  bt709: "bt709",
  smpte170m: "smpte170m",
  bt470bg: "bt470",
  fcc: "fcc",
  smpte240m: "smpte240m",
};
/** zscale has its own words for some. */
const ZSCALE_MATRICES: Readonly<Record<string, string>> = { bt2020nc: "2020_ncl", bt2020c: "2020_cl", bt709: "709" };
const ZSCALE_TRANSFERS = new Set(["bt709", "smpte170m", "bt2020-10", "bt2020-12", "smpte2084", "arib-std-b67"]);
const ZSCALE_PRIMARIES = new Set(["bt709", "smpte170m", "bt470bg", "bt470m", "bt2020", "smpte431", "smpte432"]);
const HDR_TRANSFERS = { pq: "smpte2084", hlg: "arib-std-b67" } as const;
const RGB = /^(gbr|rgb|bgr|argb|abgr|0rgb|0bgr|pal8)/;
/** A frame is kept when it is the first in its slot; rounded times of a steady rate fall on the same side of a slot's edge. */
const SLOT_PHASE = 0.1;

/** The colours that every quality of a source is told to have; the same for all frames and chunks. */
export function outputColour({ colour, pixelFormat, height }: SourceVideo, picture: PictureTreatment): PictureColour {
  const { primaries, transfer, matrix } = colour;
  if (picture.toneMapFrom !== null || isWide(colour)) return BT709;
  const usual = height > STANDARD_DEFINITION_LINES || isRgb(pixelFormat) ? BT709 : BT601;
  return {
    primaries: known(primaries) ?? usual.primaries,
    transfer: transfer !== null && KEPT_TRANSFERS.has(transfer) ? transfer : usual.transfer,
    matrix: matrix !== null && matrix in SWSCALE_MATRICES ? matrix : usual.matrix,
  };
}

function known(primaries: string | null): string | undefined {
  return primaries !== null && KEPT_PRIMARIES.has(primaries) ? primaries : undefined;
}

function isRgb(pixelFormat: string | null): boolean {
  return pixelFormat !== null && RGB.test(pixelFormat);
}

function isWide({ primaries }: SourceVideo["colour"]): boolean {
  return primaries !== null && !KEPT_PRIMARIES.has(primaries) && ZSCALE_PRIMARIES.has(primaries);
}

/**
 * What happens to frames before they are cut into chunks: fields are joined, times become 90 kHz ticks since presentation
 * zero, frames beyond the highest rate go.
 */
export function timeFilters(picture: PictureTreatment, zeroTicks: number): readonly string[] {
  const limit = picture.frameRateLimit;
  const slot = (pts: string) =>
    `floor(${pts}*${limit?.numerator ?? 1}/${VIDEO_TIMESCALE * (limit?.denominator ?? 1)}+${SLOT_PHASE})`;
  return [
    ...(picture.deinterlace ? ["bwdif=mode=send_frame:parity=auto:deint=all"] : []),
    `settb=1/${VIDEO_TIMESCALE}`,
    `setpts=PTS-(${zeroTicks})`,
    ...(limit ? [`select='isnan(prev_pts)+gt(${slot("pts")},${slot("prev_pts")})'`] : []),
  ];
}

/** Brings wide and high-dynamic-range pictures to BT.709 once for all qualities, at the size of the largest. */
export function colourFilters(
  { colour }: SourceVideo,
  { toneMapFrom }: PictureTreatment,
  largest: { readonly width: number; readonly height: number },
): readonly string[] {
  if (toneMapFrom === null && !isWide(colour)) return [];
  const transfer = toneMapFrom === null ? (colour.transfer ?? "bt709") : HDR_TRANSFERS[toneMapFrom];
  const input = [
    `pin=${ZSCALE_PRIMARIES.has(colour.primaries ?? "") ? colour.primaries : "bt2020"}`,
    `tin=${ZSCALE_TRANSFERS.has(transfer) ? transfer : "bt709"}`,
    `min=${ZSCALE_MATRICES[colour.matrix ?? "bt2020nc"] ?? "2020_ncl"}`,
    `rin=${colour.isFullRange ? "full" : "limited"}`,
  ].join(":");
  const size = `w=${largest.width}:h=${largest.height}`;
  const output = "p=bt709:t=bt709:m=709:r=limited";
  if (toneMapFrom === null) return [`zscale=${size}:${input}:${output}`];
  return [
    // 100 cd/m² is the white of SDR; the peak is said, so that it does not change with the frames' own words.
    `zscale=${size}:${input}:t=linear:npl=100`,
    ...["format=gbrpf32le", "zscale=p=bt709", "tonemap=tonemap=hable:desat=0:peak=10"],
    ...["zscale=t=bt709:m=709:r=limited", "format=yuv420p"],
  ];
}

/** One quality's picture: its size, square pixels, 8 bits, and words of colour that never change. */
export function rungFilters(
  size: { readonly width: number; readonly height: number },
  video: SourceVideo,
  colour: PictureColour,
  isConverted: boolean,
): readonly string[] {
  const scale = scaleFilter(size, video, colour, isConverted);
  return [
    `${scale}:out_color_matrix=${SWSCALE_MATRICES[colour.matrix] ?? "bt709"}:out_range=tv`,
    ...["setsar=1", "format=yuv420p"],
    `setparams=field_mode=prog:range=tv:color_primaries=${colour.primaries}:color_trc=${colour.transfer}:colorspace=${colour.matrix}`,
  ];
}

/** A still for a JPEG: its size, square pixels, and BT.601 in full range, which is how every JPEG is read. */
export function stillFilters(
  size: { readonly width: number; readonly height: number },
  video: SourceVideo,
  colour: PictureColour,
  isConverted: boolean,
): readonly string[] {
  const scale = scaleFilter(size, video, colour, isConverted);
  return [`${scale}:out_color_matrix=bt601:out_range=pc`, "setsar=1", "format=yuvj420p"];
}

function scaleFilter(
  { width, height }: { readonly width: number; readonly height: number },
  { pixelFormat }: SourceVideo,
  colour: PictureColour,
  isConverted: boolean,
): string {
  const inMatrix =
    isRgb(pixelFormat) && !isConverted ? "" : `:in_color_matrix=${SWSCALE_MATRICES[colour.matrix] ?? "bt709"}`;
  return `scale=${width}:${height}:flags=bicubic${inMatrix}`;
}
