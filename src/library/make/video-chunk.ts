import { DomainError } from "../../core/errors.ts";
import { avcNalLengthSize, isH264KeyFrame } from "../../media/codecs/h264.ts";
import type { VideoFormat } from "../../media/format.ts";
import { type Ticks, VIDEO_TIMESCALE } from "../../media/timebase.ts";
import { ChunkWriter } from "./chunk-writer.ts";
import { readCmafPipe } from "./cmaf-pipe.ts";
import type { MadeChunk, MakeTools, MakeVideoChunk, VideoChunkRequest } from "./contract.ts";
import { type OutputReader, runFfmpeg } from "./ffmpeg-run.ts";
import { readFirstFrameTime } from "./framecrc.ts";
import { renditionInit } from "./rendition-init.ts";
import { StoredSegmenter } from "./stored-segmenter.ts";
import { Unpackageable } from "./unpackageable.ts";
import { chunkWitnesses, videoChunkArguments } from "./video-chunk-arguments.ts";

/** The demuxer began behind the chunk's start, or the decoder was not whole there: its first frames are missing. */
class SeekMissed extends Error {}

export const makeVideoChunk: MakeVideoChunk = async (tools, request) => {
  try {
    return await encode(tools, request, true);
  } catch (error) {
    if (!(error instanceof SeekMissed)) throw error;
    tools.logger.warn({ chunk: request.index }, "the source cannot be sought exactly, reading it from its beginning");
    return await encode(tools, request, false);
  }
};

async function encode(tools: MakeTools, request: VideoChunkRequest, seeks: boolean): Promise<readonly MadeChunk[]> {
  const { source, video, picture, targets, range, rule, signal } = request;
  const { preset, coreCount } = tools;
  const rungs = targets.map(({ spec }) => spec);
  const chunks = targets.map((target) => new RungChunk(tools, request, target));
  const witnesses = chunkWitnesses({ range, seeks });
  let nextStart: Ticks | undefined;
  const readAfter: OutputReader = async (pieces) => {
    nextStart = await readFirstFrameTime(pieces, VIDEO_TIMESCALE);
  };
  try {
    await runFfmpeg(tools, {
      access: source.access,
      arguments: videoChunkArguments({ source, video, picture, rungs, range, rule, preset, coreCount, seeks }),
      readers: [
        ...chunks.map(
          (chunk): OutputReader =>
            (pieces) =>
              chunk.read(pieces),
        ),
        ...(witnesses.before ? [readBefore] : []),
        ...(witnesses.after ? [readAfter] : []),
      ],
      signal,
      onProgress: request.onProgress,
    });
    const made: MadeChunk[] = [];
    for (const chunk of chunks) made.push(await chunk.finish(nextStart));
    return made;
  } catch (error) {
    await Promise.all(chunks.map((chunk) => chunk.discard()));
    if (!(error instanceof Unpackageable)) throw error;
    throw new DomainError("MEDIA_DAMAGED", `the times of the pictures are broken: ${error.message}`, { cause: error });
  }
}

async function readBefore(pieces: AsyncIterable<Uint8Array>): Promise<void> {
  if ((await readFirstFrameTime(pieces, VIDEO_TIMESCALE)) === undefined) throw new SeekMissed();
}

/** One quality of a chunk, from ffmpeg's pipe into the store. */
class RungChunk {
  readonly #writer: ChunkWriter;
  readonly #segmenter: StoredSegmenter;
  readonly #frameRate: VideoFormat["frameRate"];
  readonly #leadTicks: Ticks;
  #made: MadeChunk | undefined;

  constructor(tools: MakeTools, request: VideoChunkRequest, target: VideoChunkRequest["targets"][number]) {
    const { index, range, rule, signal, video, picture } = request;
    this.#leadTicks = request.source.leadTicks;
    this.#frameRate = picture.frameRateLimit ?? video.frameRate ?? undefined;
    this.#segmenter = new StoredSegmenter({
      kind: "video",
      timescale: VIDEO_TIMESCALE,
      rule,
      usualDuration: frameDuration(this.#frameRate),
      leadTicks: this.#leadTicks,
    });
    this.#writer = new ChunkWriter({
      ...{ store: tools.store, logger: tools.logger, target, signal },
      firstIndex: index,
      chunkIndexOf: () => index,
      endsRendition: range.endMs === undefined,
      onChunk: async (chunk) => {
        this.#made = chunk;
      },
    });
  }

  async read(pieces: AsyncIterable<Uint8Array>): Promise<void> {
    let lengthSize = 4;
    await readCmafPipe(pieces, {
      onTrack: ({ format }) => {
        lengthSize = avcNalLengthSize(format.config);
        // An encoder writes ticks there; what is meant is known.
        const told = format.kind === "video" ? { ...format, frameRate: this.#frameRate } : format;
        this.#writer.init = renditionInit(told, this.#leadTicks);
      },
      onSample: (pts, { data }) => {
        const segment = this.#segmenter.push({ pts, isKey: isH264KeyFrame(data, lengthSize), data });
        return segment && this.#writer.add(segment);
      },
    });
  }

  async finish(nextStart: Ticks | undefined): Promise<MadeChunk> {
    const segment = this.#segmenter.finish(nextStart);
    if (segment) await this.#writer.add(segment);
    await this.#writer.finish();
    if (!this.#made) throw new DomainError("INTERNAL", "a chunk was finished and not handed over");
    return this.#made;
  }

  discard(): Promise<void> {
    return this.#writer.discard(this.#made);
  }
}

function frameDuration(rate: VideoFormat["frameRate"]): Ticks {
  return rate ? Math.max(1, Math.round((VIDEO_TIMESCALE * rate.denominator) / rate.numerator)) : VIDEO_TIMESCALE / 25;
}
