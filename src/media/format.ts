export type VideoCodec = "h264" | "hevc" | "av1" | "vp9";
export type AudioCodec = "aac" | "opus" | "flac" | "ac3" | "eac3" | "mp3";

/** How a video elementary stream is decoded and shown. Read from its codec configuration, never from metadata. */
export interface VideoFormat {
  readonly kind: "video";
  readonly codec: VideoCodec;
  /** Body of the configuration box: `avcC`, `hvcC`, `av1C` or `vpcC`. */
  readonly config: Uint8Array;
  /** RFC 6381, for CODECS= and @codecs: `avc1.640028`. */
  readonly codecString: string;
  /** Pixels that are shown (cropped), before the sample aspect ratio is applied. */
  readonly width: number;
  readonly height: number;
  readonly sampleAspect: { readonly width: number; readonly height: number };
  /** From the codec's timing information where it is given; a hint, not a promise. */
  readonly frameRate: { readonly numerator: number; readonly denominator: number } | undefined;
  /** ISO/IEC 23091-2 code points; undefined when the stream does not say. */
  readonly colour: ColourDescription | undefined;
  readonly bitDepth: number;
}

export interface ColourDescription {
  readonly primaries: number;
  readonly transfer: number;
  readonly matrix: number;
  readonly isFullRange: boolean;
}

/** How an audio elementary stream is decoded. */
export interface AudioFormat {
  readonly kind: "audio";
  readonly codec: AudioCodec;
  /** `esds` carries an AudioSpecificConfig; else the body of `dOps`, `dfLa`, `dac3`, `dec3`; empty for mp3. */
  readonly config: Uint8Array;
  /** RFC 6381: `mp4a.40.2`, `opus`, `fLaC`, `ac-3`, `ec-3`, `mp4a.40.34`. */
  readonly codecString: string;
  /** Also the track's timescale (Opus always 48000). */
  readonly sampleRateHz: number;
  readonly channelCount: number;
  /** PCM samples that one access unit makes; undefined when units differ in length (Opus, FLAC). */
  readonly samplesPerUnit: number | undefined;
}

export type MediaFormat = VideoFormat | AudioFormat;

/** Whether units of both can follow each other under one init segment. */
export function sameFormat(a: MediaFormat, b: MediaFormat): boolean {
  return a.kind === b.kind && a.codec === b.codec && sameParameters(a, b) && Buffer.compare(a.config, b.config) === 0;
}

function sameParameters(a: MediaFormat, b: MediaFormat): boolean {
  if (a.kind === "video" && b.kind === "video") return a.width === b.width && a.height === b.height;
  if (a.kind === "audio" && b.kind === "audio") {
    return a.sampleRateHz === b.sampleRateHz && a.channelCount === b.channelCount;
  }
  return false;
}
