import { DomainError } from "../../core/errors.ts";
import type { ProbeReport, StreamReport } from "./probe-report.ts";
import type { Container, SourceAudio, SourceMedia, SourceText, SourceVideo } from "./source-media.ts";

export interface DescribedProbe {
  readonly container: Container;
  readonly sizeBytes: number;
  readonly isCut: boolean;
  readonly report: ProbeReport;
  /** Where the last packet ends, when the file was read through for it. */
  readonly scannedEndMs: number | undefined;
}

/** H.264 and HEVC hold no more pictures back. */
const MOST_REORDERED = 16;
const TEXT_CODECS = new Set(["subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text"]);

/**
 * ffprobe's report in our words. Throws DomainError NOT_MEDIA when there is neither picture nor sound in it, MEDIA_DAMAGED
 * when they have no length.
 */
export function describeMedia({ container, sizeBytes, isCut, report, scannedEndMs }: DescribedProbe): SourceMedia {
  const { streams, format } = report;
  const pictures = streams.filter(isPicture);
  const video = streams.filter((stream) => stream.codec_type === "video" && !isPicture(stream)).flatMap(describeVideo);
  const audio = streams.filter((stream) => stream.codec_type === "audio").flatMap(describeAudio);
  if (video.length + audio.length === 0) throw new DomainError("NOT_MEDIA", "the file holds no video and no audio");
  const text = streams.filter((stream) => stream.codec_type === "subtitle").map(describeText);
  const startMs = Math.min(...(video.length > 0 ? video : audio).map((stream) => stream.startMs));
  const endMs = scannedEndMs ?? headerEndMs(report, [...video, ...audio]);
  const durationMs = Math.round(endMs - startMs);
  if (!(durationMs > 0)) throw new DomainError("MEDIA_DAMAGED", "the file cannot be played: its length is zero");
  return {
    container,
    sizeBytes,
    startMs,
    durationMs,
    bitrateBps: Math.round(
      scannedEndMs === undefined && format.bit_rate ? format.bit_rate : (sizeBytes * 8000) / durationMs,
    ),
    video,
    audio,
    text,
    pictures: pictures.map(({ index, codec_name: codec = "unknown" }) => ({ index, codec })),
    notes: isCut
      ? [`The file is cut short: it has ${(durationMs / 1000).toFixed(1)} s, and says that there were more.`]
      : [],
  };
}

/** A cover, a thumbnail, a still: one frame that belongs beside the film. */
function isPicture({ codec_type: type, disposition }: StreamReport): boolean {
  return (
    type === "video" && ["attached_pic", "timed_thumbnails", "still_image"].some((word) => disposition[word] === 1)
  );
}

function headerEndMs({ format }: ProbeReport, streams: readonly (SourceVideo | SourceAudio)[]): number {
  const ends = streams.map(({ startMs, durationMs }) => (durationMs === null ? 0 : startMs + durationMs));
  const knownMs = Math.max(...ends);
  return knownMs > 0 ? knownMs : (format.start_time ?? 0) * 1000 + (format.duration ?? 0) * 1000;
}

function describeVideo(stream: StreamReport): SourceVideo[] {
  const { width = 0, height = 0 } = stream;
  if (!isWhole(width) || !isWhole(height)) return [];
  const turn = orientationOf(stream);
  const sampleAspect = sampleAspectOf(stream);
  const squareWidth = Math.max(1, Math.round((width * sampleAspect.width) / sampleAspect.height));
  const isSideways = turn.rotationDegrees % 180 === 90;
  const frameRate = rateOf(stream.avg_frame_rate);
  const realFrameRate = rateOf(stream.r_frame_rate);
  return [
    {
      index: stream.index,
      codec: stream.codec_name ?? "unknown",
      profile: stream.profile ?? null,
      level: stream.level !== undefined && stream.level > 0 ? stream.level : null,
      width,
      height,
      shownWidth: isSideways ? height : squareWidth,
      shownHeight: isSideways ? squareWidth : height,
      sampleAspect,
      ...turn,
      frameRate: frameRate ?? realFrameRate,
      realFrameRate,
      isVariableFrameRate: differ(frameRate, realFrameRate),
      pixelFormat: stream.pix_fmt ?? null,
      bitDepth: bitDepthOf(stream),
      colour: colourOf(stream),
      hdr: hdrOf(stream),
      isInterlaced: ["tt", "bb", "tb", "bt"].includes(stream.field_order ?? ""),
      fieldOrder: stream.field_order ?? null,
      reorderCount: Math.min(MOST_REORDERED, Math.max(0, Math.trunc(stream.has_b_frames ?? 0))),
      ...timesOf(stream),
      frameCount: stream.nb_frames && isWhole(stream.nb_frames) ? stream.nb_frames : null,
      isDefault: stream.disposition.default === 1,
    },
  ];
}

function isWhole(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}

function timesOf({ start_time: startS, duration, bit_rate: bitrate, tags }: StreamReport) {
  const durationS = duration ?? clockSeconds(tags.DURATION);
  return {
    startMs: (startS ?? 0) * 1000,
    durationMs: durationS === undefined ? null : durationS * 1000,
    bitrateBps: bitrate && bitrate > 0 ? bitrate : (bitrateTag(tags.BPS) ?? null),
  };
}

/** Matroska's `00:01:23.456000000`. */
function clockSeconds(text: string | undefined): number | undefined {
  const match = /^(\d+):(\d\d):(\d\d(?:\.\d+)?)$/.exec(text ?? "");
  return match ? Number(match[1]) * 3600 + Number(match[2]) * 60 + Number(match[3]) : undefined;
}

function bitrateTag(text: string | undefined): number | undefined {
  const value = Number(text);
  return Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

type Rate = { numerator: number; denominator: number };

function rateOf(text: string | undefined): Rate | null {
  const [numerator = 0, denominator = 0] = (text ?? "").split("/").map(Number);
  return isWhole(numerator) && isWhole(denominator) ? { numerator, denominator } : null;
}

function differ(a: Rate | null, b: Rate | null): boolean {
  if (!a || !b) return false;
  return Math.abs((a.numerator * b.denominator) / (a.denominator * b.numerator) - 1) > 0.01;
}

/** Beyond this a sample aspect is a mistake of whoever wrote it. */
const OBLONGEST = 8;

function sampleAspectOf({ sample_aspect_ratio: text = "" }: StreamReport): { width: number; height: number } {
  const [width = 0, height = 0] = text.split(":").map(Number);
  const isHonest = isWhole(width) && isWhole(height) && width / height <= OBLONGEST && height / width <= OBLONGEST;
  return isHonest ? { width, height } : { width: 1, height: 1 };
}

type Quarter = SourceVideo["rotationDegrees"];
const QUARTERS: readonly Quarter[] = [0, 90, 180, 270];

/** Out of the display matrix, which says how a picture is turned counterclockwise. */
function orientationOf({ side_data_list: sideData }: StreamReport): { rotationDegrees: Quarter; isMirrored: boolean } {
  const matrix = sideData.find((data) => data.side_data_type === "Display Matrix");
  const turned = Number(matrix?.rotation ?? 0);
  const quarter = ((Math.round(-turned / 90) % 4) + 4) % 4 || 0;
  return { rotationDegrees: QUARTERS[quarter] ?? 0, isMirrored: isMirroring(String(matrix?.displaymatrix ?? "")) };
}

/** ffprobe prints the matrix as three lines of three numbers, each line behind its number. */
function isMirroring(matrix: string): boolean {
  const [a = 0, b = 0, , c = 0, d = 0] = [...matrix.matchAll(/\s(-?\d+)(?=\s|$)/g)].map(([, value]) => Number(value));
  return a * d - b * c < 0;
}

function bitDepthOf({ bits_per_raw_sample: bits, pix_fmt: pixelFormat = "" }: StreamReport): number {
  const named =
    /(?:p|gray|rgb|bgr)(9|10|12|14|16)(?:le|be)?$/.exec(pixelFormat)?.[1] ?? /^p0(10|12|16)/.exec(pixelFormat)?.[1];
  if (named) return Number(named);
  return bits && bits >= 8 && bits <= 16 && pixelFormat === "" ? bits : 8;
}

function colourOf(stream: StreamReport): SourceVideo["colour"] {
  return {
    primaries: stream.color_primaries ?? null,
    transfer: stream.color_transfer ?? null,
    matrix: stream.color_space ?? null,
    isFullRange: stream.color_range === "pc" || (stream.pix_fmt ?? "").startsWith("yuvj"),
  };
}

function hdrOf({ color_transfer: transfer }: StreamReport): SourceVideo["hdr"] {
  if (transfer === "smpte2084") return "pq";
  return transfer === "arib-std-b67" ? "hlg" : null;
}

function describeAudio(stream: StreamReport): SourceAudio[] {
  const { sample_rate: sampleRateHz = 0, channels: channelCount = 0 } = stream;
  if (!isWhole(sampleRateHz) || !isWhole(channelCount)) return [];
  return [
    {
      index: stream.index,
      codec: stream.codec_name ?? "unknown",
      profile: stream.profile ?? null,
      channelCount,
      channelLayout: stream.channel_layout ?? null,
      sampleRateHz,
      ...timesOf(stream),
      ...namesOf(stream),
      isDefault: stream.disposition.default === 1,
    },
  ];
}

function describeText(stream: StreamReport): SourceText {
  const { index, codec_name: codec = "unknown", disposition } = stream;
  return {
    index,
    codec,
    isText: TEXT_CODECS.has(codec),
    ...namesOf(stream),
    isDefault: disposition.default === 1,
    isForced: disposition.forced === 1,
    isForHearingImpaired: disposition.hearing_impaired === 1,
  };
}

const LONGEST_TITLE = 100;

function namesOf({ tags }: StreamReport): { language: string | null; title: string | null } {
  const title = (tags.title ?? "")
    .replace(/\p{C}+/gu, " ")
    .trim()
    .slice(0, LONGEST_TITLE);
  return { language: languageOf(tags.language), title: title === "" ? null : title };
}

/** Files say `fre` or `fra` where BCP 47 says `fr`. */
function languageOf(tag: string | undefined): string | null {
  try {
    const [language] = Intl.getCanonicalLocales(tag ?? "und");
    return language === undefined || /^(und|mis|mul|zxx)\b/.test(language) ? null : language;
  } catch {
    return null; // no language tag at all: it names none
  }
}
