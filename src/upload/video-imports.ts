import { z } from "zod";
import type { Clock } from "../core/clock.ts";
import { DomainError } from "../core/errors.ts";
import type { VideoId } from "../core/ids.ts";
import type { Logger } from "../core/logger.ts";
import type { JobAttempt, JobHandler, JobQueue } from "../jobs/job-queue.ts";
import type { ObjectStore } from "../storage/object-store.ts";
import { limitSize, type UploadLimits } from "./guarded-bytes.ts";
import type { AddressGuard } from "./public-address.ts";
import { openUrl, parseSourceUrl } from "./url-source.ts";
import type { VideoIntake } from "./video-intake.ts";

const IMPORT_KIND = "video.import";
/** With back-off: a server that is gone for ten minutes is asked again. */
const TRIED = { maxAttempts: 8, backOff: { kind: "exponential", delayMs: 5_000 } } as const;
const REPORT_BYTES = 4 * 1024 * 1024;

export interface VideoImportsOptions {
  readonly jobs: Pick<JobQueue, "add">;
  readonly store: Pick<ObjectStore, "put">;
  readonly intake: VideoIntake;
  readonly guard: AddressGuard;
  readonly limits: UploadLimits;
  /** Whether there is a video of this id. */
  readonly isTaken: (videoId: VideoId) => Promise<boolean>;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface NewImport {
  readonly url: string;
  readonly title: string | null;
  readonly description: string | null;
}

const dataSchema = z.strictObject({
  videoId: z.uuid().transform((id) => id as VideoId),
  key: z.string(),
  url: z.string(),
  title: z.string().nullable(),
  description: z.string().nullable(),
});

/** Videos that are fetched from other servers: begun by the API, done by a worker. */
export class VideoImports {
  readonly #options: VideoImportsOptions;

  constructor(options: VideoImportsOptions) {
    this.#options = options;
  }

  /** What a worker does for imports, by kind of job. */
  get handlers(): Readonly<Record<string, JobHandler>> {
    return { [IMPORT_KIND]: this.#run };
  }

  /** Throws INVALID_REQUEST for a URL that is not asked. The address is looked at again when it is. */
  async start({ url, ...description }: NewImport): Promise<{ readonly videoId: VideoId; readonly jobId: string }> {
    const { jobs, intake, guard } = this.#options;
    await guard.resolve(parseSourceUrl(url).hostname);
    const { videoId, key } = intake.newUpload();
    const data = { videoId, key, url, ...description };
    return { videoId, jobId: await jobs.add({ kind: IMPORT_KIND, data, ...TRIED }) };
  }

  #run: JobHandler = async (attempt) => {
    const { isTaken, intake, log } = this.#options;
    const { videoId, title, description, ...data } = dataSchema.parse(attempt.job.data);
    // An attempt that died at its very end has made the video.
    if (await isTaken(videoId)) return { videoId };
    // Of its own, for two attempts may run beside each other without knowing it.
    const key = `${data.key}-${attempt.attemptId}`;
    const fileName = await this.#fetch(data.url, key, attempt);
    try {
      await intake.complete({ videoId, key, fileName, title, description });
    } catch (error) {
      if (!(error instanceof DomainError) || error.code !== "VIDEO_CONFLICT") throw error;
      await intake.abandon(key);
    }
    log.info({ videoId }, "a video was imported");
    return { videoId };
  };

  async #fetch(url: string, key: string, attempt: JobAttempt): Promise<string> {
    const { store, guard, limits, clock } = this.#options;
    const { signal } = attempt;
    const { fileName, sizeBytes, bytes } = await openUrl(url, { guard, limits, clock, signal });
    const reported = reporting(limitSize(bytes, limits), (receivedBytes) => {
      if (sizeBytes !== undefined) attempt.report({ share: Math.min(1, receivedBytes / sizeBytes) });
    });
    await store.put(key, reported, { signal });
    return fileName;
  }
}

async function* reporting(bytes: AsyncIterable<Uint8Array>, report: (receivedBytes: number) => void) {
  let receivedBytes = 0;
  let reportedBytes = 0;
  for await (const chunk of bytes) {
    yield chunk;
    receivedBytes += chunk.byteLength;
    if (receivedBytes - reportedBytes < REPORT_BYTES) continue;
    reportedBytes = receivedBytes;
    report(receivedBytes);
  }
}
