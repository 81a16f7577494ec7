import { MalformedInput } from "../../core/errors.ts";
import { VIDEO_TIMESCALE } from "../../media/timebase.ts";
import { type CmafPipeSink, cmafPipeArguments, readCmafPipe } from "./cmaf-pipe.ts";
import type { MakeTools, Repackage, RepackageOutcome, RepackageRequest } from "./contract.ts";
import { type OutputReader, runFfmpeg } from "./ffmpeg-run.ts";
import { RenditionTrack } from "./rendition-track.ts";
import { sourceArguments } from "./source-arguments.ts";
import { Unpackageable } from "./unpackageable.ts";

const MOST_GOP_MS = 10_000;
/** What ffmpeg says of times that it was not given and cannot guess. */
const TIMES_UNKNOWN = /unknown timestamp|Timestamps are unset|pts has no value|first pts.*must be set/i;

export const repackage: Repackage = async (tools, request) => {
  const { source, tracks, signal } = request;
  // Cannot be negative on a fragment, whatever the source's clock.
  const shiftS = Math.max(0, Math.ceil(-source.zeroTicks / VIDEO_TIMESCALE));
  const allFailed = new AbortController();
  const copies = tracks.map((track) => new TrackCopy(tools, request, track, shiftS));
  const onFailure = () => {
    if (copies.every((copy) => copy.outcome)) allFailed.abort();
  };
  try {
    await runFfmpeg(tools, {
      access: source.access,
      arguments: [
        ...sourceArguments(source),
        ...tracks.flatMap((track, index) => copyArguments(track, index + 3, shiftS)),
      ],
      readers: copies.map(
        (copy): OutputReader =>
          (pieces) =>
            copy.read(pieces, onFailure),
      ),
      signal: AbortSignal.any([signal, allFailed.signal]),
    });
    const outcomes: RepackageOutcome[] = [];
    for (const copy of copies) outcomes.push(await copy.finish());
    return outcomes;
  } catch (error) {
    await Promise.all(copies.map((copy) => copy.discard()));
    signal.throwIfAborted();
    const outcomes = copies.flatMap(({ outcome }) => outcome ?? []);
    if (outcomes.length === copies.length) return outcomes;
    if (!hasUnknownTimes(error)) throw error;
    const why = {
      kind: "not-repackageable",
      reason: "TIMES_BROKEN",
      message: "it does not tell when frames are shown",
    } as const;
    return copies.map((copy) => copy.outcome ?? { renditionId: copy.renditionId, ...why });
  }
};

function copyArguments({ streamIndex, kind }: RepackageRequest["tracks"][number], pipe: number, shiftS: number) {
  return [
    // FLAC in MP4 counts as experimental in ffmpeg.
    ...["-map", `0:${streamIndex}`, "-c", "copy", "-strict", "-2"],
    ...(kind === "video" ? ["-video_track_timescale", `${VIDEO_TIMESCALE}`] : []),
    ...cmafPipeArguments(pipe, "copied", shiftS),
  ];
}

function hasUnknownTimes(error: unknown): boolean {
  const lines = (error as { details?: { lastLines?: readonly string[] } }).details?.lastLines ?? [];
  return lines.some((line) => TIMES_UNKNOWN.test(line));
}

/** One track on its way; what cannot be copied ends by itself. */
class TrackCopy {
  readonly renditionId: string;
  readonly #track: RenditionTrack;
  readonly #shiftS: number;
  /** Once it is known. */
  outcome: RepackageOutcome | undefined;

  constructor(tools: MakeTools, request: RepackageRequest, target: RepackageRequest["tracks"][number], shiftS: number) {
    const { source, grid, onChunk, signal, mostGopMs = MOST_GOP_MS } = request;
    const { store, logger } = tools;
    this.renditionId = target.renditionId;
    this.#shiftS = shiftS;
    const { zeroTicks, leadTicks } = source;
    const common = { store, logger, target, grid, onChunk, signal };
    this.#track = new RenditionTrack({ ...common, zeroTicks, leadTicks, mostGopMs });
  }

  async read(pieces: AsyncIterable<Uint8Array>, onFailure: () => void): Promise<void> {
    const sink: CmafPipeSink = {
      onTrack: (track) => this.#guard(() => this.#track.onTrack(track), onFailure),
      onSample: (pts, { data }) => this.#guard(() => this.#track.onSample(pts, data), onFailure),
    };
    const pipe = pieces[Symbol.asyncIterator]();
    try {
      await this.#readFrames(pipe, sink, onFailure);
      while (!(await pipe.next()).done);
    } finally {
      // What ends the run breaks the pipe: ffmpeg is not gone while something in it is unread.
      await pipe.return?.();
    }
  }

  async #readFrames(pipe: AsyncIterator<Uint8Array>, sink: CmafPipeSink, onFailure: () => void): Promise<void> {
    try {
      // Without `return`: leaving it early must not break the pipe, and with it the ffmpeg of the other tracks.
      await readCmafPipe({ [Symbol.asyncIterator]: () => ({ next: () => pipe.next() }) }, sink, this.#shiftS);
    } catch (error) {
      this.#fail(error);
      onFailure();
    }
  }

  async finish(): Promise<RepackageOutcome> {
    try {
      this.outcome ??= { renditionId: this.renditionId, kind: "made", ...(await this.#track.finish()) };
      return this.outcome;
    } catch (error) {
      return this.#fail(error);
    } finally {
      await this.discard();
    }
  }

  discard(): Promise<void> {
    return this.#track.discard();
  }

  /** After its end the rest of the track runs by unread: the other tracks come from the same ffmpeg. */
  #guard<Result>(step: () => Result, onFailure: () => void): Result | undefined {
    if (this.outcome) return undefined;
    try {
      return step();
    } catch (error) {
      this.#fail(error);
      onFailure();
      return undefined;
    }
  }

  #fail(error: unknown): RepackageOutcome {
    if (!(error instanceof Unpackageable) && !(error instanceof MalformedInput)) throw error;
    const reason = error instanceof Unpackageable ? error.reason : "CODEC";
    this.outcome = { renditionId: this.renditionId, kind: "not-repackageable", reason, message: error.message };
    return this.outcome;
  }
}
