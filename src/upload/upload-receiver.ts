import type { Logger } from "../core/logger.ts";
import type { TakenVideo } from "../library/library.ts";
import type { ObjectStore } from "../storage/object-store.ts";
import { limitSize, type UploadLimits } from "./guarded-bytes.ts";
import type { VideoIntake } from "./video-intake.ts";

export interface UploadReceiverOptions {
  readonly store: Pick<ObjectStore, "put">;
  readonly intake: VideoIntake;
  readonly limits: UploadLimits;
  readonly log: Logger;
}

/** What is said of a video beside its bytes. */
export interface UploadDescription {
  readonly fileName: string;
  readonly title: string | null;
  readonly description: string | null;
}

/** Takes the bytes of originals into the object store as they come, and hands them over when they are whole. */
export class UploadReceiver {
  readonly limits: UploadLimits;
  readonly #options: UploadReceiverOptions;
  readonly #running = new Set<Promise<unknown>>();

  constructor(options: UploadReceiverOptions) {
    this.#options = options;
    this.limits = options.limits;
  }

  /**
   * Takes one original; `describe` is asked when all its bytes are there, and may throw. Whatever goes wrong, nothing is
   * left behind, and the reason is thrown: UPLOAD_TOO_LARGE, what the bytes throw, or what the library refuses.
   */
  receive(bytes: AsyncIterable<Uint8Array>, describe: () => Promise<UploadDescription>): Promise<TakenVideo> {
    const receiving = this.#receive(bytes, describe);
    this.#running.add(receiving);
    const forget = () => this.#running.delete(receiving);
    receiving.then(forget, forget);
    return receiving;
  }

  /** Waits for what is being received; whoever sends it has been cut before. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  async #receive(bytes: AsyncIterable<Uint8Array>, describe: () => Promise<UploadDescription>): Promise<TakenVideo> {
    const { store, intake, log } = this.#options;
    const { videoId, key } = intake.newUpload();
    let description: UploadDescription;
    try {
      await store.put(key, limitSize(bytes, this.limits));
      description = await describe();
    } catch (error) {
      await this.#abandon(key);
      throw error;
    }
    // From here on it is the library's: what it refuses it deletes, and what failed half-way may be a video already.
    const taken = await intake.complete({ videoId, key, ...description });
    log.info({ videoId, sizeBytes: taken.video.source?.sizeBytes }, "a video was uploaded");
    return taken;
  }

  /** What cannot be deleted now is nobody's: the library's clean-up finds it. */
  async #abandon(key: string): Promise<void> {
    try {
      await this.#options.intake.abandon(key);
    } catch (error) {
      this.#options.log.warn({ key, err: error }, "what came of a broken upload could not be deleted");
    }
  }
}
