import type { SourceUnit } from "../../src/live/publication.ts";
import type { AudioFormat, VideoFormat } from "../../src/media/format.ts";

/** A 640x360 H.264 format; `config` is the `avcC` body that ffmpeg's libx264 wrote for it. */
export const H264_360P: VideoFormat = {
  kind: "video",
  codec: "h264",
  config: Buffer.from(
    "0164001effe1001a6764001eacd940a02ff97011000003000100000300320f162d9601000668ebe3cb22c0fdf8f800",
    "hex",
  ),
  codecString: "avc1.64001e",
  width: 640,
  height: 360,
  sampleAspect: { width: 1, height: 1 },
  frameRate: { numerator: 25, denominator: 1 },
  colour: undefined,
  bitDepth: 8,
};

/** The same picture under another configuration: what an encoder sends after its settings were changed. */
export const H264_720P: VideoFormat = {
  ...H264_360P,
  config: Buffer.from(
    "0164001fffe1001c6764001facd9405005bb011000000300100000030320f18319601000668ebe3cb22c0fdf8f800",
    "hex",
  ),
  codecString: "avc1.64001f",
  width: 1280,
  height: 720,
};

export const AAC_48K: AudioFormat = {
  kind: "audio",
  codec: "aac",
  config: Buffer.from("1190", "hex"),
  codecString: "mp4a.40.2",
  sampleRateHz: 48_000,
  channelCount: 2,
  samplesPerUnit: 1024,
};

export const AAC_44K: AudioFormat = { ...AAC_48K, config: Buffer.from("1210", "hex"), sampleRateHz: 44_100 };

/** A format that no silence can be written in; its units have 1152 samples. */
export const MP3_48K: AudioFormat = {
  kind: "audio",
  codec: "mp3",
  config: new Uint8Array(),
  codecString: "mp4a.40.34",
  sampleRateHz: 48_000,
  channelCount: 2,
  samplesPerUnit: 1152,
};

export interface VideoStamps {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly framesPerSecond: number;
  readonly gopFrames: number;
  /** Composition offset of every frame, as an encoder with B-frames has it on key frames. */
  readonly ctsMs?: number;
}

/** Video units as RTMP stamps them: whole milliseconds, rounded down. */
export function videoUnits({ fromMs, untilMs, framesPerSecond, gopFrames, ctsMs = 0 }: VideoStamps): SourceUnit[] {
  const units: SourceUnit[] = [];
  for (let frame = 0; ; frame++) {
    const dts = fromMs + Math.floor((frame * 1000) / framesPerSecond);
    if (dts >= untilMs) return units;
    const isKey = frame % gopFrames === 0;
    units.push({ kind: "video", timescale: 1000, dts, cts: ctsMs, isKey, data: new Uint8Array(isKey ? 2000 : 500) });
  }
}

export interface AudioStamps {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly sampleRateHz?: number;
  /** AAC's when left out. */
  readonly samplesPerUnit?: number;
}

/** Audio units as RTMP stamps them: whole milliseconds, rounded down. */
export function audioUnits({
  fromMs,
  untilMs,
  sampleRateHz = 48_000,
  samplesPerUnit = 1024,
}: AudioStamps): SourceUnit[] {
  const units: SourceUnit[] = [];
  for (let index = 0; ; index++) {
    const dts = fromMs + Math.floor((index * samplesPerUnit * 1000) / sampleRateHz);
    if (dts >= untilMs) return units;
    units.push({ kind: "audio", timescale: 1000, dts, cts: 0, isKey: true, data: new Uint8Array(300) });
  }
}

/** Both, in the order in which an encoder sends them. */
export function interleave(...lists: readonly SourceUnit[][]): SourceUnit[] {
  return lists.flat().sort((a, b) => a.dts / a.timescale - b.dts / b.timescale);
}
