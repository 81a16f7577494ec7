import { readAacConfig } from "../codecs/aac.ts";
import { readAc3Config, readEac3Config } from "../codecs/ac3.ts";
import { readAv1Config } from "../codecs/av1.ts";
import { describedColour } from "../codecs/colour.ts";
import { readDfla } from "../codecs/flac.ts";
import { readAvcConfig } from "../codecs/h264.ts";
import { readHevcConfig } from "../codecs/hevc.ts";
import { mp3Format } from "../codecs/mp3.ts";
import { readOpusConfig } from "../codecs/opus.ts";
import { vp9Format } from "../codecs/vp9.ts";
import type { AudioCodec, AudioFormat, ColourDescription, MediaFormat, VideoCodec, VideoFormat } from "../format.ts";
import { type Box, boxFields, childBoxes, malformedBox } from "./box.ts";
import type { BoxWriter } from "./box-writer.ts";
import { OBJECT_TYPE, readEsds, writeEsds } from "./esds.ts";

const VISUAL_FIELDS_BYTES = 78;
const AUDIO_FIELDS_BYTES = 28;
const QUICKTIME_V1_FIELDS_BYTES = 16;
const PIXELS_PER_INCH_72 = 0x00480000;
const UNSPECIFIED_COLOUR: ColourDescription = { primaries: 2, transfer: 2, matrix: 2, isFullRange: false };

const VIDEO_ENTRIES: Record<VideoCodec, { entry: string; configBox: string }> = {
  h264: { entry: "avc1", configBox: "avcC" },
  hevc: { entry: "hvc1", configBox: "hvcC" },
  av1: { entry: "av01", configBox: "av1C" },
  vp9: { entry: "vp09", configBox: "vpcC" },
};

const AUDIO_ENTRIES: Record<Exclude<AudioCodec, "aac" | "mp3">, { entry: string; configBox: string }> = {
  opus: { entry: "Opus", configBox: "dOps" },
  flac: { entry: "fLaC", configBox: "dfLa" },
  ac3: { entry: "ac-3", configBox: "dac3" },
  eac3: { entry: "ec-3", configBox: "dec3" },
};

/** Writes the sample entry (the child of `stsd`) that tells a decoder of `format`. */
export function writeSampleEntry(writer: BoxWriter, format: MediaFormat): void {
  if (format.kind === "video") writeVisualEntry(writer, format);
  else writeAudioEntry(writer, format);
}

/** A sample entry as a format. Throws MalformedInput; also when it is of a codec that we do not know. */
export function readSampleEntry(entry: Box): MediaFormat {
  const read = READERS[entry.type];
  if (!read) throw malformedBox(entry, "is not a sample entry that is supported");
  return read(entry);
}

function writeVisualEntry(writer: BoxWriter, format: VideoFormat): void {
  const { entry, configBox } = VIDEO_ENTRIES[format.codec];
  writer.box(entry, () => {
    writer.zeros(6);
    writer.u16(1); // data_reference_index
    writer.zeros(16);
    writer.u16(format.width);
    writer.u16(format.height);
    writer.u32(PIXELS_PER_INCH_72);
    writer.u32(PIXELS_PER_INCH_72);
    writer.zeros(4);
    writer.u16(1); // frame_count
    writer.zeros(32); // compressorname
    writer.u16(24); // depth: colour without alpha
    writer.u16(0xffff);
    writer.box(configBox, () => writer.bytes(format.config));
    writeColour(writer, format);
    writePixelAspect(writer, format.sampleAspect);
  });
}

/** CMAF wants `colr` for HEVC whether or not the stream describes its colours. */
function writeColour(writer: BoxWriter, format: VideoFormat): void {
  const colour = format.colour ?? (format.codec === "hevc" ? UNSPECIFIED_COLOUR : undefined);
  if (!colour) return;
  writer.box("colr", () => {
    writer.fourCc("nclx");
    writer.u16(colour.primaries);
    writer.u16(colour.transfer);
    writer.u16(colour.matrix);
    writer.u8(colour.isFullRange ? 0x80 : 0);
  });
}

function writePixelAspect(writer: BoxWriter, aspect: VideoFormat["sampleAspect"]): void {
  if (aspect.width === aspect.height) return;
  writer.box("pasp", () => {
    writer.u32(aspect.width);
    writer.u32(aspect.height);
  });
}

function writeAudioEntry(writer: BoxWriter, format: AudioFormat): void {
  const { codec } = format;
  if (codec === "aac")
    writeAudioFields(writer, "mp4a", format, () => writeEsds(writer, OBJECT_TYPE.aac, format.config));
  else if (codec === "mp3") {
    const objectType = format.sampleRateHz >= 32_000 ? OBJECT_TYPE.mp3 : OBJECT_TYPE.mp3LowRate;
    writeAudioFields(writer, "mp4a", format, () => writeEsds(writer, objectType, undefined));
  } else {
    const { entry, configBox } = AUDIO_ENTRIES[codec];
    writeAudioFields(writer, entry, format, () => writer.box(configBox, () => writer.bytes(format.config)));
  }
}

function writeAudioFields(writer: BoxWriter, entry: string, format: AudioFormat, writeConfig: () => void): void {
  writer.box(entry, () => {
    writer.zeros(6);
    writer.u16(1); // data_reference_index
    writer.zeros(8);
    writer.u16(format.channelCount);
    writer.u16(16); // samplesize, as the template says
    writer.zeros(4);
    writer.u16(fittingRate(format.sampleRateHz));
    writer.u16(0);
    writeConfig();
  });
}

/** The field is 16.16 fixed point. A rate above it is written halved until it fits, as FLAC in ISO BMFF asks. */
function fittingRate(sampleRateHz: number): number {
  return sampleRateHz > 0xffff ? fittingRate(Math.floor(sampleRateHz / 2)) : sampleRateHz;
}

const READERS: Readonly<Record<string, (entry: Box) => MediaFormat>> = {
  avc1: (entry) => refineVideo(entry, readAvcConfig(configOf(entry, "avcC"))),
  avc3: (entry) => refineVideo(entry, readAvcConfig(configOf(entry, "avcC"))),
  hvc1: (entry) => refineVideo(entry, readHevcConfig(configOf(entry, "hvcC"))),
  hev1: (entry) => refineVideo(entry, readHevcConfig(configOf(entry, "hvcC"))),
  av01: (entry) => refineVideo(entry, readAv1Config(configOf(entry, "av1C"))),
  vp09: (entry) => refineVideo(entry, vp9Format(configOf(entry, "vpcC"), visualSize(entry))),
  mp4a: (entry) => readMp4aEntry(entry),
  ".mp3": (entry) => readMp3Entry(entry),
  Opus: (entry) => readOpusConfig(audioConfigOf(entry, "dOps")),
  fLaC: (entry) => readDfla(audioConfigOf(entry, "dfLa")),
  "ac-3": (entry) => readAc3Config(audioConfigOf(entry, "dac3")),
  "ec-3": (entry) => readEac3Config(audioConfigOf(entry, "dec3")),
};

/** What the container says of shape and colour fills in what the codec leaves open. */
function refineVideo(entry: Box, format: VideoFormat): VideoFormat {
  const boxes = childBoxes(entry, VISUAL_FIELDS_BYTES);
  const isSquare = format.sampleAspect.width === format.sampleAspect.height;
  const sampleAspect = isSquare ? (readPixelAspect(boxes) ?? format.sampleAspect) : format.sampleAspect;
  return { ...format, sampleAspect, colour: format.colour ?? readColour(boxes) };
}

function visualSize(entry: Box): { width: number; height: number } {
  const fields = boxFields(entry);
  fields.skip(24);
  return { width: fields.u16(), height: fields.u16() };
}

function configOf(entry: Box, type: string, fieldsBytes = VISUAL_FIELDS_BYTES): Uint8Array {
  const box = childBoxes(entry, fieldsBytes).find((child) => child.type === type);
  if (!box) throw malformedBox(entry, `has no ${type}`);
  return box.body;
}

function audioConfigOf(entry: Box, type: string): Uint8Array {
  return configOf(entry, type, audioFieldsBytes(entry));
}

/** QuickTime's version 1 entry has four more fields; ffmpeg writes it only in MOV, but both begin alike. */
function audioFieldsBytes(entry: Box): number {
  const fields = boxFields(entry);
  fields.skip(8);
  return AUDIO_FIELDS_BYTES + (fields.u16() === 1 ? QUICKTIME_V1_FIELDS_BYTES : 0);
}

function readMp4aEntry(entry: Box): AudioFormat {
  const { objectType, decoderConfig } = readEsds(audioConfigOf(entry, "esds"));
  if (objectType === OBJECT_TYPE.mp3 || objectType === OBJECT_TYPE.mp3LowRate) return readMp3Entry(entry);
  if (objectType !== OBJECT_TYPE.aac || !decoderConfig) throw malformedBox(entry, "describes no AAC");
  return readAacConfig(decoderConfig);
}

function readMp3Entry(entry: Box): AudioFormat {
  const fields = boxFields(entry);
  fields.skip(16);
  const channelCount = fields.u16();
  fields.skip(6);
  const sampleRateHz = fields.u16();
  if (sampleRateHz === 0 || channelCount === 0) throw malformedBox(entry, "has no sample rate or no channels");
  return mp3Format(sampleRateHz, channelCount);
}

function readPixelAspect(boxes: readonly Box[]): VideoFormat["sampleAspect"] | undefined {
  const box = boxes.find(({ type }) => type === "pasp");
  if (!box) return undefined;
  const fields = boxFields(box);
  const [width, height] = [fields.u32(), fields.u32()];
  return width > 0 && height > 0 ? { width, height } : undefined;
}

function readColour(boxes: readonly Box[]): ColourDescription | undefined {
  const box = boxes.find(({ type }) => type === "colr");
  if (!box) return undefined;
  const fields = boxFields(box);
  if (fields.fourCc() !== "nclx") return undefined;
  const [primaries, transfer, matrix] = [fields.u16(), fields.u16(), fields.u16()];
  return describedColour({ primaries, transfer, matrix, isFullRange: fields.u8() >= 128 });
}
