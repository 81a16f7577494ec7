import type { Publication } from "../../live/publication.ts";
import { isAv1KeyFrame, readAv1Config, stripTemporalDelimiters } from "../../media/codecs/av1.ts";
import { avcNalLengthSize, isH264KeyFrame, readAvcConfig } from "../../media/codecs/h264.ts";
import { hevcNalLengthSize, isHevcKeyFrame, readHevcConfig } from "../../media/codecs/hevc.ts";
import { readVp9KeyFrame, vp9Format } from "../../media/codecs/vp9.ts";
import type { FlvFrames } from "../../media/flv.ts";
import { type ColourDescription, sameFormat, type VideoCodec, type VideoFormat } from "../../media/format.ts";

/** What differs from codec to codec between an FLV tag and a `Unit`. */
interface VideoCodecRules {
  /** The format that a configuration alone tells; undefined when it takes a key frame too. */
  readonly formatOf: (config: Uint8Array) => VideoFormat | undefined;
  /** The format that a key frame tells, for codecs whose configuration is not enough. */
  readonly formatOfKeyFrame?: (config: Uint8Array, data: Uint8Array) => VideoFormat | undefined;
  readonly isKeyFrame: (config: Uint8Array, data: Uint8Array) => boolean;
  readonly dataOf?: (data: Uint8Array) => Uint8Array;
}

const RULES: Readonly<Record<VideoCodec, VideoCodecRules>> = {
  h264: {
    formatOf: readAvcConfig,
    isKeyFrame: (config, data) => isH264KeyFrame(data, avcNalLengthSize(config)),
  },
  hevc: {
    formatOf: readHevcConfig,
    isKeyFrame: (config, data) => isHevcKeyFrame(data, hevcNalLengthSize(config)),
  },
  av1: {
    formatOf: readAv1Config,
    isKeyFrame: (_config, data) => isAv1KeyFrame(data),
    dataOf: stripTemporalDelimiters,
  },
  vp9: {
    formatOf: () => undefined,
    formatOfKeyFrame(config, data) {
      const keyFrame = readVp9KeyFrame(data);
      return keyFrame && vp9Format(config, keyFrame);
    },
    isKeyFrame: (_config, data) => readVp9KeyFrame(data) !== undefined,
  },
};

/** A frame of video, ready for `Publication.write` but for its time. */
export interface VideoFrame {
  readonly isKey: boolean;
  readonly data: Uint8Array;
}

/** Turns the video messages of one track into a format and frames. */
export class VideoToLive {
  readonly #publication: Pick<Publication, "setFormat">;
  #codec: VideoCodec | undefined;
  #config: Uint8Array | undefined;
  #format: VideoFormat | undefined;
  #colour: ColourDescription | undefined;

  constructor(publication: Pick<Publication, "setFormat">) {
    this.#publication = publication;
  }

  /** Takes a sequence header; one that repeats the last changes nothing. Throws MalformedInput. */
  configure(codec: VideoCodec, config: Uint8Array): void {
    if (this.#codec === codec && this.#config && Buffer.compare(this.#config, config) === 0) return;
    const format = RULES[codec].formatOf(config);
    this.#codec = codec;
    this.#config = config;
    this.#setFormat(format);
  }

  /** Takes the colour that the publisher tells beside the stream. What the stream itself says comes first. */
  setColour(colour: ColourDescription): void {
    this.#colour = colour;
    if (!this.#format || this.#format.colour) return;
    this.#format = { ...this.#format, colour };
    this.#publication.setFormat(this.#format);
  }

  /** The frame as it is stored; undefined while no configuration for its codec came. Throws MalformedInput. */
  take({ codec, data, isKey }: FlvFrames<VideoCodec>): VideoFrame | undefined {
    const config = this.#config;
    if (!config || codec !== this.#codec) return undefined;
    const rules = RULES[codec];
    // What the encoder calls a key frame may be a recovery point, which is one; what it forgets to call so is found here.
    const isKeyFrame = isKey || rules.isKeyFrame(config, data);
    if (isKeyFrame && rules.formatOfKeyFrame) this.#setFormat(rules.formatOfKeyFrame(config, data));
    if (!this.#format) return undefined;
    return { isKey: isKeyFrame, data: rules.dataOf ? rules.dataOf(data) : data };
  }

  #setFormat(format: VideoFormat | undefined): void {
    if (!format || (this.#format && sameFormat(this.#format, format))) return;
    this.#format = format.colour || !this.#colour ? format : { ...format, colour: this.#colour };
    this.#publication.setFormat(this.#format);
  }
}
