import { randomUUID } from "node:crypto";
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { DomainError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import type { ConditionalPuts, PutTarget } from "./conditional-puts.ts";
import type { PartBudget } from "./part-budget.ts";
import { attemptCountOf, isS3Error } from "./s3-connection.ts";

const MAX_PART_COUNT = 10_000;
/** Of one upload; more than this gain nothing on one connection's bandwidth. */
const MAX_PARTS_UNDER_WAY = 4;

export interface MultipartUploadOptions {
  readonly client: S3Client;
  readonly target: PutTarget;
  readonly budget: PartBudget;
  readonly conditions: ConditionalPuts;
  readonly log: Logger;
  /** Is aborted, with the reason, as soon as a part fails; must abort `signal` too, and end the source of the parts. */
  readonly broken: AbortController;
  readonly signal: AbortSignal;
}

/** A large object on its way, part by part. It is seen when it is whole; when it breaks, its parts are dropped. */
export class MultipartUpload {
  readonly #options: MultipartUploadOptions;
  readonly #uploadId: string;
  readonly #putId: string;
  readonly #parts: CompletedPart[] = [];
  readonly #underWay = new Set<Promise<void>>();
  readonly #broken: AbortController;
  readonly #signal: AbortSignal;
  #sentBytes = 0;

  private constructor(options: MultipartUploadOptions, uploadId: string, putId: string) {
    this.#options = options;
    this.#uploadId = uploadId;
    this.#putId = putId;
    this.#broken = options.broken;
    this.#signal = options.signal;
  }

  static async begin(options: MultipartUploadOptions): Promise<MultipartUpload> {
    const putId = randomUUID();
    const { client, target, conditions, signal } = options;
    const command = new CreateMultipartUploadCommand({ ...target, Metadata: conditions.metadataFor(putId) });
    const { UploadId } = await client.send(command, { abortSignal: signal });
    if (UploadId === undefined) throw new DomainError("UNAVAILABLE", "The object store begins no multipart upload");
    return new MultipartUpload(options, UploadId, putId);
  }

  /** Sends `first` and all that follows. Undefined when `ifAbsent` and the key was taken meanwhile. */
  async send(
    first: Uint8Array,
    rest: AsyncIterable<Uint8Array>,
    { ifAbsent }: { readonly ifAbsent: boolean },
  ): Promise<{ etag: string; sizeBytes: number } | undefined> {
    try {
      await this.#sendPart(first);
      for await (const part of rest) await this.#sendPart(part);
      await Promise.all(this.#underWay);
      this.#signal.throwIfAborted();
      const etag = await this.#complete(ifAbsent);
      if (etag === undefined) await this.#drop();
      return etag === undefined ? undefined : { etag, sizeBytes: this.#sentBytes };
    } catch (error) {
      this.#broken.abort(error);
      await Promise.all(this.#underWay);
      await this.#drop();
      // The part that failed first says why; what came after it was only told to stop.
      throw this.#broken.signal.reason;
    }
  }

  /** Resolves when the next part may be read: at once while there is memory to spare, else when this one is sent. */
  async #sendPart(bytes: Uint8Array): Promise<void> {
    this.#signal.throwIfAborted();
    this.#sentBytes += bytes.byteLength;
    const isSpare = this.#options.budget.tryTake();
    const sending = this.#upload(bytes).finally(() => {
      if (isSpare) this.#options.budget.give();
      this.#underWay.delete(sending);
    });
    this.#underWay.add(sending);
    if (!isSpare) await sending;
    while (this.#underWay.size >= MAX_PARTS_UNDER_WAY) await Promise.race(this.#underWay);
    this.#signal.throwIfAborted();
  }

  /** Never throws: the first failure aborts the upload. */
  async #upload(bytes: Uint8Array): Promise<void> {
    const { client, target } = this.#options;
    const PartNumber = this.#parts.length + 1;
    const part: CompletedPart = { PartNumber };
    this.#parts.push(part);
    try {
      if (PartNumber > MAX_PART_COUNT) {
        throw new DomainError("UPLOAD_TOO_LARGE", `The bucket takes no object of more than ${MAX_PART_COUNT} parts`);
      }
      const { Bucket, Key } = target;
      const command = new UploadPartCommand({ Bucket, Key, UploadId: this.#uploadId, PartNumber, Body: bytes });
      const { ETag } = await client.send(command, { abortSignal: this.#signal });
      if (ETag !== undefined) part.ETag = ETag;
    } catch (error) {
      this.#broken.abort(error);
    }
  }

  async #complete(ifAbsent: boolean): Promise<string | undefined> {
    const { client, conditions, target } = this.#options;
    const { Bucket, Key } = target;
    const send = async (condition: "*" | undefined) => {
      const command = new CompleteMultipartUploadCommand({
        Bucket,
        Key,
        UploadId: this.#uploadId,
        MultipartUpload: { Parts: this.#parts },
        ...(condition && { IfNoneMatch: condition }),
      });
      try {
        return (await client.send(command, { abortSignal: this.#signal })).ETag;
      } catch (error) {
        // The upload is gone because an earlier attempt, whose answer was lost, has completed it.
        if (!isS3Error(error, "NoSuchUpload") || attemptCountOf(error) === 1) throw error;
        const etag = await conditions.findOwn(target, this.#putId);
        if (etag === undefined) throw error;
        return etag;
      }
    };
    return conditions.publish(target, send, { ifAbsent, putId: this.#putId });
  }

  /** What cannot be dropped now is left to `removeLeftovers`. */
  async #drop(): Promise<void> {
    const { client, target, log } = this.#options;
    const { Bucket, Key } = target;
    try {
      await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId: this.#uploadId }));
    } catch (error) {
      if (isS3Error(error, "NoSuchUpload", "NotImplemented")) return;
      log.warn({ bucket: Bucket, key: Key, err: error }, "the parts of a broken upload could not be dropped");
    }
  }
}
