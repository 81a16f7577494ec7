import { DomainError } from "../../core/errors.ts";
import type { Publication } from "../../live/publication.ts";
import type { AmfValue } from "../../media/amf.ts";
import { decodeAmf0 } from "../../media/amf0.ts";
import { type FlvFrames, type FlvMessage, parseAudioTag, parseVideoTag } from "../../media/flv.ts";
import type { AudioCodec, ColourDescription, VideoCodec } from "../../media/format.ts";
import { AudioToLive } from "./audio-to-live.ts";
import { TimestampUnwrapper } from "./timestamp.ts";
import { VideoToLive } from "./video-to-live.ts";
import { propertyOf, textOf } from "./wire/messages.ts";

const MS_TIMESCALE = 1000;
const NANOSECOND_TIMESCALE = 1_000_000_000;
const NANOSECONDS_PER_MS = 1_000_000;

type PublicationSink = Pick<Publication, "expect" | "setFormat" | "write">;

/**
 * Maps the media messages of one publisher to a Publication. Decode times and composition offsets are the publisher's
 * own. They are milliseconds; from the first nanosecond offset (Enhanced RTMP ModEx) on they are nanoseconds, for both
 * media, so that nothing is rounded. Of several tracks of a medium the lowest is taken.
 */
export class RtmpToLive {
  readonly #publication: PublicationSink;
  readonly #video: VideoToLive;
  readonly #audio: AudioToLive;
  readonly #timestamps = new TimestampUnwrapper();
  readonly #trackIds: { video: number | undefined; audio: number | undefined } = { video: undefined, audio: undefined };
  #hasNanoseconds = false;
  #droppedFrameCount = 0;

  constructor(publication: PublicationSink) {
    this.#publication = publication;
    this.#video = new VideoToLive(publication);
    this.#audio = new AudioToLive(publication);
  }

  /** Frames that came before their configuration. */
  get droppedFrameCount(): number {
    return this.#droppedFrameCount;
  }

  /** Takes a video message. Throws MalformedInput, and DomainError UNSUPPORTED_CODEC. */
  writeVideo(timestamp: number, body: Uint8Array): void {
    for (const message of parseVideoTag(body)) {
      if (!this.#isWanted("video", message)) continue;
      if (message.kind === "sequence-start") this.#video.configure(message.codec, message.config);
      if (message.kind === "metadata") this.#writeColourInfo(message.value);
      if (message.kind === "frames") this.#writeVideoFrame(timestamp, message);
    }
  }

  /** Takes an audio message. Throws MalformedInput, and DomainError UNSUPPORTED_CODEC. */
  writeAudio(timestamp: number, body: Uint8Array): void {
    for (const message of parseAudioTag(body)) {
      if (!this.#isWanted("audio", message)) continue;
      if (message.kind === "sequence-start") this.#audio.configure(message.codec, message.config);
      if (message.kind === "multichannel") this.#audio.setChannelCount(message.channelCount);
      if (message.kind === "frames") this.#writeAudioFrame(timestamp, message);
    }
  }

  /**
   * Takes the object of onMetaData: which media come, and with how many bits. Nothing else in it is believed, because
   * encoders announce H.264 and send HEVC.
   */
  writeMetadata(metadata: AmfValue): void {
    const video = announces(metadata, VIDEO_PROPERTIES);
    const audio = announces(metadata, AUDIO_PROPERTIES);
    if (!video && !audio) return;
    const videoBps = bitrateOf(metadata, "videodatarate", VIDEO_KBPS);
    const audioBps = bitrateOf(metadata, "audiodatarate", AUDIO_KBPS);
    this.#publication.expect({ video, audio, ...(videoBps && { videoBps }), ...(audioBps && { audioBps }) });
  }

  #writeColourInfo(metadata: Uint8Array): void {
    const [name, info] = decodeAmf0(metadata);
    const colour = name === "colorInfo" ? colourOf(propertyOf(info, "colorConfig")) : undefined;
    if (colour) this.#video.setColour(colour);
  }

  #writeVideoFrame(timestamp: number, message: FlvFrames<VideoCodec>): void {
    const frame = this.#video.take(message);
    if (frame) this.#write("video", timestamp, message, frame.isKey, frame.data);
    else this.#droppedFrameCount += 1;
  }

  #writeAudioFrame(timestamp: number, message: FlvFrames<AudioCodec>): void {
    const data = this.#audio.take(message);
    if (data) this.#write("audio", timestamp, message, true, data);
    else this.#droppedFrameCount += 1;
  }

  #write(
    kind: "video" | "audio",
    timestamp: number,
    { ctsMs, nanosecondOffset }: Pick<FlvFrames<unknown>, "ctsMs" | "nanosecondOffset">,
    isKey: boolean,
    data: Uint8Array,
  ): void {
    // Only frames move the clock: sequence headers come with a time of 0 from some encoders, in mid-stream too.
    const dtsMs = this.#timestamps.unwrap(timestamp);
    if (nanosecondOffset > 0) this.#hasNanoseconds = true;
    if (!this.#hasNanoseconds) {
      this.#publication.write({ kind, timescale: MS_TIMESCALE, dts: dtsMs, cts: ctsMs, isKey, data });
      return;
    }
    const dts = dtsMs * NANOSECONDS_PER_MS + nanosecondOffset;
    const cts = ctsMs * NANOSECONDS_PER_MS;
    this.#publication.write({ kind, timescale: NANOSECOND_TIMESCALE, dts, cts, isKey, data });
  }

  /** Whether the message is of the track that we take. A lower track id that begins later takes over. */
  #isWanted(kind: "video" | "audio", message: FlvMessage<unknown>): boolean {
    if (message.kind === "unsupported") {
      throw new DomainError("UNSUPPORTED_CODEC", `This server cannot take ${message.codecName}.`);
    }
    if (!("trackId" in message)) return false;
    const current = this.#trackIds[kind];
    if (current === undefined || (message.kind === "sequence-start" && message.trackId < current)) {
      this.#trackIds[kind] = message.trackId;
    }
    return message.trackId === this.#trackIds[kind];
  }
}

/** How the encoder names itself in onMetaData. */
export function encoderOf(metadata: AmfValue): string | undefined {
  return textOf(metadata, "encoder") || undefined;
}

/** The colour of an Enhanced RTMP `colorConfig`, whose numbers are ISO/IEC 23091-2 code points; 2 is "unspecified". */
function colourOf(colorConfig: AmfValue): ColourDescription | undefined {
  const [primaries, transfer, matrix] = ["colorPrimaries", "transferCharacteristics", "matrixCoefficients"].map(
    (name) => {
      const value = propertyOf(colorConfig, name);
      return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 256 ? value : UNSPECIFIED;
    },
  );
  if (primaries === undefined || transfer === undefined || matrix === undefined) return undefined;
  return transfer === UNSPECIFIED ? undefined : { primaries, transfer, matrix, isFullRange: false };
}

/** What a bit rate in kbit/s can be. Some encoders write bit/s: what is beyond is read so. */
const VIDEO_KBPS = { least: 16, most: 200_000 };
const AUDIO_KBPS = { least: 6, most: 5000 };

/** An announced bit rate in bit/s; undefined when there is none that could be true. */
function bitrateOf(metadata: AmfValue, name: string, { least, most }: typeof VIDEO_KBPS): number | undefined {
  const value = propertyOf(metadata, name);
  if (typeof value !== "number") return undefined;
  const kbps = value > most ? value / 1000 : value;
  return kbps >= least && kbps <= most ? Math.round(kbps * 1000) : undefined;
}

const UNSPECIFIED = 2;
const VIDEO_PROPERTIES = ["videocodecid", "width", "videodatarate", "framerate"];
const AUDIO_PROPERTIES = ["audiocodecid", "audiosamplerate", "audiodatarate"];

function announces(metadata: AmfValue, names: readonly string[]): boolean {
  return names.some((name) => {
    const value = propertyOf(metadata, name);
    return typeof value === "number" ? value > 0 : typeof value === "string" && value !== "";
  });
}
