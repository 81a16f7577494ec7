import { createReadStream } from "node:fs";
import type { Clock } from "../core/clock.ts";
import { DomainError } from "../core/errors.ts";
import type { VideoId } from "../core/ids.ts";
import type { Logger } from "../core/logger.ts";
import type { ObjectStore } from "../storage/object-store.ts";
import { sourceChunks } from "../storage/source-chunks.ts";
import { checkSize, limitTime, type UploadLimits } from "./guarded-bytes.ts";
import { PartialFiles, type PartialRecord } from "./partial-files.ts";
import type { UploadDescription } from "./upload-receiver.ts";
import type { VideoIntake } from "./video-intake.ts";

const SWEEP_INTERVAL_MS = 10 * 60_000;

export interface ResumableUploadsOptions {
  /** Made when it is missing; belongs to this server alone. */
  readonly directory: string;
  readonly store: Pick<ObjectStore, "put" | "adopt">;
  readonly intake: VideoIntake;
  /** How large the original of a video is that was taken already. */
  readonly sizeOfTaken: (videoId: VideoId) => Promise<number | undefined>;
  readonly limits: UploadLimits;
  readonly maxCount: number;
  /** How long one that has stopped is kept. */
  readonly lifetimeMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface NewResumable extends UploadDescription {
  readonly sizeBytes: number;
  /** Kept as it is. */
  readonly metadata: string;
}

/** How far an upload is. */
export interface ResumableState {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  readonly metadata: string;
  /** When it will be forgotten unless it goes on; undefined once it is a video. */
  readonly expiresAtMs: number | undefined;
}

interface Upload {
  readonly record: PartialRecord;
  offsetBytes: number;
  changedAtMs: number;
  /** What somebody does with it now; one at a time. */
  work: { readonly stop: () => void; readonly ended: Promise<void> } | undefined;
  /** It is whole and on its way to become a video, which takes minutes where a store is far away. */
  isFinishing: boolean;
}

/** One that was whole and is no video, and why. */
interface RefusedUpload {
  readonly record: PartialRecord;
  readonly error: DomainError;
}

/**
 * Originals that come in pieces, over any number of connections and restarts. Each has the id of the video that it will be. Whoever
 * comes to one that another connection is still sending has lost that connection, and takes over.
 */
export class ResumableUploads {
  readonly #options: ResumableUploadsOptions;
  readonly #files: PartialFiles;
  readonly #uploads = new Map<VideoId, Upload>();
  /** The newest alone: for clients that lost the answer, and would send all of it again to get another. */
  readonly #refused = new Map<VideoId, RefusedUpload>();
  #cancelSweep: (() => void) | undefined;
  #isClosed = false;

  private constructor(options: ResumableUploadsOptions) {
    this.#options = options;
    this.#files = new PartialFiles(options.directory);
  }

  /** With all that earlier servers had not finished. */
  static async open(options: ResumableUploadsOptions): Promise<ResumableUploads> {
    const uploads = new ResumableUploads(options);
    for (const { videoId, ...found } of await uploads.#files.readAll()) {
      uploads.#uploads.set(videoId, { ...found, work: undefined, isFinishing: false });
    }
    await uploads.removeExpired();
    uploads.#sweepLater();
    return uploads;
  }

  get limits(): UploadLimits {
    return this.#options.limits;
  }

  /** Throws UPLOAD_TOO_LARGE, NOT_MEDIA for an empty file, STORAGE_FULL, and LIMIT_REACHED when too many are unfinished. */
  async create({ sizeBytes, ...description }: NewResumable): Promise<VideoId> {
    const { limits, maxCount, intake, clock } = this.#options;
    checkSize(sizeBytes, limits);
    if (sizeBytes === 0) throw new DomainError("NOT_MEDIA", "the file is empty");
    if (this.#uploads.size >= maxCount) {
      throw new DomainError("LIMIT_REACHED", `${maxCount} uploads are unfinished; finish or delete some`, {
        details: { retry_after_s: 60 },
      });
    }
    const { videoId, key } = intake.newUpload();
    const record = { key, sizeBytes, ...description };
    // It counts from here on, whoever else comes meanwhile.
    this.#uploads.set(videoId, {
      record,
      offsetBytes: 0,
      changedAtMs: clock.nowMs(),
      work: undefined,
      isFinishing: false,
    });
    try {
      await this.#exclusively(videoId, () => this.#files.create(videoId, record));
    } catch (error) {
      this.#uploads.delete(videoId);
      throw error;
    }
    return videoId;
  }

  /**
   * How far it is; never waits for one to become a video. Of one that was whole when the server or the library failed, a video is
   * made from now on: whoever asks for it has nothing left to send. One that was refused lacks its last byte: who sends it hears why.
   * Throws NOT_FOUND, and UNAVAILABLE while a video is made of it.
   */
  async find(videoId: VideoId): Promise<ResumableState> {
    const refused = this.#refused.get(videoId);
    if (refused) return refusedState(refused);
    try {
      const state = await this.#exclusively(videoId, async (upload) =>
        isWhole(upload) ? undefined : this.#stateOf(upload),
      );
      if (state) return state;
    } catch (error) {
      const isGone = error instanceof DomainError && error.code === "NOT_FOUND";
      const takenBytes = isGone ? await this.#options.sizeOfTaken(videoId) : undefined;
      if (takenBytes === undefined) throw error;
      return takenState(takenBytes);
    }
    this.#finishLater(videoId);
    throw finishing();
  }

  /**
   * Adds what comes; once all is there, it is a video when this resolves. What came is kept when this throws: UPLOAD_CONFLICT when
   * `offsetBytes` is not how far it is, UPLOAD_INCOMPLETE, STORAGE_FULL, INVALID_REQUEST when more comes than was announced,
   * NOT_FOUND, UNAVAILABLE while a video is made of it; and it is deleted when the library refuses it.
   */
  async append(videoId: VideoId, offsetBytes: number, bytes: AsyncIterable<Uint8Array>): Promise<ResumableState> {
    const { limits, clock } = this.#options;
    const refused = this.#refused.get(videoId);
    if (refused) throw refused.error;
    return this.#exclusively(videoId, async (upload, signal) => {
      const { record } = upload;
      if (upload.offsetBytes !== offsetBytes) {
        throw new DomainError("UPLOAD_CONFLICT", `${upload.offsetBytes} bytes are there, not ${offsetBytes}`);
      }
      const timed = limitTime(sourceChunks(bytes, signal), limits, clock);
      await this.#files.append(videoId, offsetBytes, upTo(timed, record.sizeBytes - offsetBytes), (writtenBytes) => {
        upload.offsetBytes = writtenBytes;
        upload.changedAtMs = clock.nowMs();
      });
      if (!isWhole(upload)) return this.#stateOf(upload);
      // Whoever took over waits, and would wait for a video.
      signal.throwIfAborted();
      await this.#finish(videoId, upload);
      return takenState(record.sizeBytes);
    });
  }

  /** Gives it up. Throws NOT_FOUND, also when it is a video already, and UNAVAILABLE while one is made of it. */
  async remove(videoId: VideoId): Promise<void> {
    if (this.#refused.delete(videoId)) return;
    return this.#exclusively(videoId, () => this.#remove(videoId));
  }

  /** Forgets those that have stopped for too long; gives their number. */
  async removeExpired(): Promise<number> {
    const { clock, log } = this.#options;
    const nowMs = clock.nowMs();
    const expired = [...this.#uploads].filter(([, upload]) => !upload.work && this.#expiryOf(upload) <= nowMs);
    for (const [videoId] of expired) await this.remove(videoId);
    if (expired.length > 0) log.info({ count: expired.length }, "uploads that nobody finished were deleted");
    return expired.length;
  }

  /** Stops what is being sent; it goes on with the next server. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelSweep?.();
    const works = [...this.#uploads.values()].flatMap(({ work }) => work ?? []);
    for (const { stop } of works) stop();
    await Promise.all(works.map(({ ended }) => ended));
  }

  #sweepLater(): void {
    const { clock, log } = this.#options;
    this.#cancelSweep = clock.after(SWEEP_INTERVAL_MS, () => {
      this.removeExpired()
        .catch((error: unknown) => log.warn({ err: error }, "uploads that nobody finished could not be deleted now"))
        .finally(() => {
          if (!this.#isClosed) this.#sweepLater();
        });
    });
  }

  /** Runs `work` when nobody else does anything with the upload; a connection that still sends is told to stop. */
  async #exclusively<Result>(
    videoId: VideoId,
    work: (upload: Upload, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    for (;;) {
      if (this.#isClosed) throw new DomainError("UNAVAILABLE", "the server is about to stop");
      const upload = this.#uploads.get(videoId);
      if (!upload) throw new DomainError("NOT_FOUND", "there is no such upload: it is over, or was given up");
      if (upload.isFinishing) throw finishing();
      if (!upload.work) return this.#begin(upload, work);
      upload.work.stop();
      await upload.work.ended;
    }
  }

  async #begin<Result>(upload: Upload, work: (upload: Upload, signal: AbortSignal) => Promise<Result>) {
    const taken = new AbortController();
    const ended = Promise.withResolvers<void>();
    const reason = new DomainError("UPLOAD_INCOMPLETE", "the upload goes on over another connection");
    upload.work = { stop: () => taken.abort(reason), ended: ended.promise };
    try {
      return await work(upload, taken.signal);
    } finally {
      upload.work = undefined;
      ended.resolve();
    }
  }

  /** Nobody waits for it: what comes of it is heard by whoever asks next. */
  #finishLater(videoId: VideoId): void {
    const upload = this.#uploads.get(videoId);
    if (!upload || upload.work || this.#isClosed) return;
    this.#begin(upload, () => this.#finish(videoId, upload)).catch((error: unknown) => {
      this.#options.log.warn({ videoId, err: error }, "an upload that is whole did not become a video");
    });
  }

  /** May be done again after it has failed, wherever that was. */
  async #finish(videoId: VideoId, upload: Upload): Promise<void> {
    const { log } = this.#options;
    const { record } = upload;
    upload.isFinishing = true;
    try {
      await this.#makeVideo(videoId, record);
      await this.#remove(videoId);
    } catch (error) {
      if (error instanceof DomainError && isFinal(error)) {
        if (error.category === "invalid") this.#keepRefusal(videoId, { record, error });
        await this.#remove(videoId);
      }
      throw error;
    } finally {
      upload.isFinishing = false;
    }
    log.info({ videoId, sizeBytes: record.sizeBytes }, "a video was uploaded");
  }

  async #makeVideo(videoId: VideoId, { key, fileName, title, description }: PartialRecord): Promise<void> {
    const { intake, sizeOfTaken } = this.#options;
    await this.#store(videoId, key);
    if ((await sizeOfTaken(videoId)) === undefined) {
      await intake.complete({ videoId, key, fileName, title, description });
    }
  }

  #keepRefusal(videoId: VideoId, refused: RefusedUpload): void {
    this.#refused.set(videoId, refused);
    const [oldest] = this.#refused.keys();
    if (oldest && this.#refused.size > this.#options.maxCount) this.#refused.delete(oldest);
  }

  /** Nothing is left to do when the file is gone: it has been moved by an attempt that failed later. */
  async #store(videoId: VideoId, key: string): Promise<void> {
    const { store } = this.#options;
    const path = this.#files.pathOf(videoId);
    if (!(await this.#files.hasBytes(videoId))) return;
    if (await store.adopt?.(key, path)) return;
    await store.put(key, createReadStream(path));
    await this.#files.removeBytes(videoId);
  }

  async #remove(videoId: VideoId): Promise<void> {
    await this.#files.remove(videoId);
    this.#uploads.delete(videoId);
  }

  #expiryOf({ changedAtMs }: Upload): number {
    return changedAtMs + this.#options.lifetimeMs;
  }

  #stateOf(upload: Upload): ResumableState {
    const { record, offsetBytes } = upload;
    const { sizeBytes, metadata } = record;
    return { offsetBytes, sizeBytes, metadata, expiresAtMs: this.#expiryOf(upload) };
  }
}

/** Asking again would bring nothing else: it is refused, or an earlier attempt left it in the store for so long that it was cleared. */
function isFinal({ category }: DomainError): boolean {
  return category === "invalid" || category === "not-found";
}

function isWhole({ offsetBytes, record }: Upload): boolean {
  return offsetBytes >= record.sizeBytes;
}

function finishing(): DomainError {
  return new DomainError("UNAVAILABLE", "all of the file is here, and a video is being made of it; ask again", {
    details: { retry_after_s: 5 },
  });
}

function refusedState({ record: { sizeBytes, metadata } }: RefusedUpload): ResumableState {
  return { offsetBytes: sizeBytes - 1, sizeBytes, metadata, expiresAtMs: undefined };
}

function takenState(sizeBytes: number): ResumableState {
  return { offsetBytes: sizeBytes, sizeBytes, metadata: "", expiresAtMs: undefined };
}

async function* upTo(bytes: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Uint8Array, void, undefined> {
  let leftBytes = maxBytes;
  for await (const chunk of bytes) {
    yield chunk.subarray(0, leftBytes);
    leftBytes -= chunk.byteLength;
    if (leftBytes < 0) throw new DomainError("INVALID_REQUEST", "more bytes came than Upload-Length announced");
  }
}
