import type { Publication } from "../../live/publication.ts";
import { readAacConfig } from "../../media/codecs/aac.ts";
import { readAc3Frame } from "../../media/codecs/ac3.ts";
import { readFlacConfig } from "../../media/codecs/flac.ts";
import { readMp3Frame } from "../../media/codecs/mp3.ts";
import { readOpusHead } from "../../media/codecs/opus.ts";
import type { FlvFrames } from "../../media/flv.ts";
import { type AudioCodec, type AudioFormat, sameFormat } from "../../media/format.ts";

/** Codecs whose sequence header says all; `channelCount` is what a multichannel message said, if one came. */
const CONFIG_READERS: Readonly<
  Partial<Record<AudioCodec, (config: Uint8Array, channelCount: number | undefined) => AudioFormat>>
> = {
  aac: readAacConfig,
  opus: readOpusHead,
  flac: readFlacConfig,
};

/** Codecs that repeat their parameters in every frame and need no sequence header. */
const FRAME_READERS: Readonly<Partial<Record<AudioCodec, (frame: Uint8Array) => AudioFormat>>> = {
  ac3: readAc3Frame,
  eac3: readAc3Frame,
  mp3: readMp3Frame,
};

/** Turns the audio messages of one track into a format and frames. */
export class AudioToLive {
  readonly #publication: Pick<Publication, "setFormat">;
  #codec: AudioCodec | undefined;
  #config: Uint8Array | undefined;
  #channelCount: number | undefined;
  #format: AudioFormat | undefined;

  constructor(publication: Pick<Publication, "setFormat">) {
    this.#publication = publication;
  }

  /** Takes a sequence header; one that repeats the last changes nothing. Throws MalformedInput. */
  configure(codec: AudioCodec, config: Uint8Array): void {
    if (this.#codec === codec && this.#config && Buffer.compare(this.#config, config) === 0) return;
    this.#codec = codec;
    this.#config = config;
    this.#readConfig();
  }

  /** Takes what a multichannel message says, which completes an empty Opus header. Throws MalformedInput. */
  setChannelCount(channelCount: number): void {
    this.#channelCount = channelCount;
    if (this.#config?.length === 0) this.#readConfig();
  }

  /** The frame as it is stored; undefined while no configuration for its codec came. Throws MalformedInput. */
  take({ codec, data }: FlvFrames<AudioCodec>): Uint8Array | undefined {
    const formatOfFrame = FRAME_READERS[codec];
    if (formatOfFrame) {
      this.#codec = codec;
      this.#setFormat(formatOfFrame(data));
      return data;
    }
    return this.#format && codec === this.#codec ? data : undefined;
  }

  #readConfig(): void {
    const formatOfConfig = this.#codec && CONFIG_READERS[this.#codec];
    if (formatOfConfig && this.#config) this.#setFormat(formatOfConfig(this.#config, this.#channelCount));
  }

  #setFormat(format: AudioFormat): void {
    if (this.#format && sameFormat(this.#format, format)) return;
    this.#format = format;
    this.#publication.setFormat(format);
  }
}
