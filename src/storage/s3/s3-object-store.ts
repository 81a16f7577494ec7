import {
  AbortMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadBucketCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectsV2Command,
  type S3Client,
} from "@aws-sdk/client-s3";
import { type Clock, systemClock } from "../../core/clock.ts";
import { DomainError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { checkKeyPrefix, checkObjectKey, isObjectKey } from "../object-key.ts";
import { checkRange, selectBytes } from "../object-range.ts";
import type {
  GetOptions,
  ListOptions,
  ObjectBody,
  ObjectInfo,
  ObjectRange,
  ObjectStore,
  PutOptions,
} from "../object-store.ts";
import { sourceChunks } from "../source-chunks.ts";
import { ConditionalPuts } from "./conditional-puts.ts";
import { MultipartUpload } from "./multipart-upload.ts";
import { inParts, PartBudget } from "./part-budget.ts";
import { answeredRange, destroyBody, readResuming } from "./resuming-body.ts";
import { connectS3, isS3Error, type S3ConnectionOptions } from "./s3-connection.ts";
import { s3ErrorOf } from "./s3-error.ts";

/** S3's least size of a part. An object has at most 10,000 of them: 50 GiB. */
const DEFAULT_PART_BYTES = 5 * 1024 * 1024;
const DEFAULT_SPARE_BYTES = 32 * 1024 * 1024;
/** Bytes that are in memory anyway go in one request up to here. */
const MAX_SINGLE_PUT_BYTES = 64 * 1024 * 1024;
/** S3's limit of one request. */
const DELETE_COUNT = 1000;

export interface S3ObjectStoreOptions extends S3ConnectionOptions {
  readonly bucket: string;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Size of the parts of large and of unsized objects; 10,000 of them are the largest object. */
  readonly partBytes?: number;
  /** For parts that are under way while others are read, in all puts together; each put has one part beside this. */
  readonly spareBytes?: number;
}

/**
 * Objects in a bucket of S3 or of any server that speaks as S3 does. Requests are tried four times in all; a body that
 * breaks off while it is read is asked for again from there on, as long as it is the same object.
 */
export class S3ObjectStore implements ObjectStore {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #budget: PartBudget;
  readonly #conditions: ConditionalPuts;

  constructor(options: S3ObjectStoreOptions) {
    const {
      bucket,
      log,
      clock = systemClock,
      partBytes = DEFAULT_PART_BYTES,
      spareBytes = DEFAULT_SPARE_BYTES,
    } = options;
    this.#client = connectS3(options);
    this.#bucket = bucket;
    this.#log = log;
    this.#clock = clock;
    this.#budget = new PartBudget({ partBytes, spareBytes });
    this.#conditions = new ConditionalPuts({ client: this.#client, bucket, log });
  }

  async put(
    key: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    { ifAbsent = false, contentType, signal }: PutOptions = {},
  ): Promise<ObjectInfo | undefined> {
    checkObjectKey(key);
    signal?.throwIfAborted();
    if (ifAbsent && (await this.head(key))) return undefined;
    const target = { Bucket: this.#bucket, Key: key, ...(contentType !== undefined && { ContentType: contentType }) };
    const sourceFaults = new SourceFaults();
    try {
      const written = await this.#send(target, sourceFaults.of(body), { ifAbsent, signal });
      return written && { key, ...written, modifiedAtMs: Math.floor(this.#clock.nowMs()) };
    } catch (error) {
      throw sourceFaults.has(error) ? error : s3ErrorOf(error, this.#bucket, signal);
    }
  }

  async get(key: string, { range, signal }: GetOptions = {}): Promise<ObjectBody | undefined> {
    checkObjectKey(key);
    if (range) checkRange(range);
    signal?.throwIfAborted();
    const reading = new AbortController();
    const stop = signal ? AbortSignal.any([signal, reading.signal]) : reading.signal;
    const answer = await this.#request(key, range, undefined, stop).catch((error: unknown) => {
      if (isS3Error(error, "NoSuchKey")) return undefined;
      throw this.#readError(error, signal);
    });
    if (!answer) return undefined;
    const info = infoOf(key, answer, answeredRange(answer).sizeBytes);
    const selected = unlessItThrows(
      () => selectBytes(range, info.sizeBytes),
      () => destroyBody(answer),
    );
    return {
      info,
      range: selected,
      body: readResuming({
        answer,
        range: selected,
        askAgain: (rest) => this.#request(key, rest, info.etag, stop),
        toError: (error) => (stop.aborted ? stop.reason : s3ErrorOf(error, this.#bucket)),
        signal: stop,
      }),
      cancel: () => {
        reading.abort();
        destroyBody(answer);
      },
    };
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    checkObjectKey(key);
    try {
      const answer = await this.#client.send(new HeadObjectCommand({ Bucket: this.#bucket, Key: key }));
      return infoOf(key, answer, answer.ContentLength);
    } catch (error) {
      // An answer without a body names nothing: NotFound is all that the SDK makes of the status.
      if (isS3Error(error, "NotFound", "NoSuchKey")) return undefined;
      throw s3ErrorOf(error, this.#bucket);
    }
  }

  async *list(prefix: string, { signal }: ListOptions = {}): AsyncGenerator<ObjectInfo, void, undefined> {
    checkKeyPrefix(prefix);
    for (let token: string | undefined; ; ) {
      const page = await this.#listPage(prefix, token, signal);
      for (const { Key: key, Size: sizeBytes = 0, ETag: etag = "", LastModified } of page.Contents ?? []) {
        signal?.throwIfAborted();
        // Others may keep things of their own in the bucket.
        if (key === undefined || !isObjectKey(key)) continue;
        yield { key, sizeBytes, etag: unquoted(etag), modifiedAtMs: LastModified?.getTime() ?? 0 };
      }
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      if (token === undefined) return;
    }
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) checkObjectKey(key);
    for (let i = 0; i < keys.length; i += DELETE_COUNT) await this.#deleteSome(keys.slice(i, i + DELETE_COUNT));
  }

  async removeLeftovers(olderThanMs: number, { isDryRun = false } = {}): Promise<readonly string[]> {
    const beforeMs = this.#clock.nowMs() - olderThanMs;
    const found: string[] = [];
    try {
      for await (const { Key, UploadId, Initiated } of this.#uploadsUnderWay()) {
        const isOurs = Key !== undefined && isObjectKey(Key);
        if (!isOurs || !Initiated || Initiated.getTime() > beforeMs) continue;
        if (!isDryRun) {
          await this.#client.send(new AbortMultipartUploadCommand({ Bucket: this.#bucket, Key, UploadId }));
        }
        found.push(Key);
      }
    } catch (error) {
      if (!isS3Error(error, "NotImplemented", "NoSuchUpload")) throw s3ErrorOf(error, this.#bucket);
    }
    return found;
  }

  async check(): Promise<void> {
    try {
      await this.#client.send(new HeadBucketCommand({ Bucket: this.#bucket }));
    } catch (error) {
      if (!isS3Error(error, "NotFound", "NoSuchBucket")) throw s3ErrorOf(error, this.#bucket);
      throw new DomainError("UNAVAILABLE", `There is no bucket ${this.#bucket}`, { cause: error });
    }
  }

  async close(): Promise<void> {
    this.#client.destroy();
  }

  async #send(
    target: { readonly Bucket: string; readonly Key: string; readonly ContentType?: string },
    body: Uint8Array | AsyncIterable<Uint8Array>,
    { ifAbsent, signal }: { readonly ifAbsent: boolean; readonly signal: AbortSignal | undefined },
  ): Promise<{ etag: string; sizeBytes: number } | undefined> {
    const whole = (bytes: Uint8Array) => this.#conditions.put(target, bytes, { ifAbsent, signal });
    if (body instanceof Uint8Array && body.byteLength <= MAX_SINGLE_PUT_BYTES) return whole(body);
    // Aborted by the first part that fails, so that nothing goes on beside it.
    const broken = new AbortController();
    const stop = signal ? AbortSignal.any([signal, broken.signal]) : broken.signal;
    const parts = inParts(sourceChunks(body, stop), this.#budget.partBytes);
    try {
      const first = await parts.next();
      if (first.done) return await whole(new Uint8Array());
      if (first.value.byteLength < this.#budget.partBytes) return await whole(first.value);
      const [client, budget, conditions, log] = [this.#client, this.#budget, this.#conditions, this.#log];
      const upload = await MultipartUpload.begin({ client, target, budget, conditions, log, broken, signal: stop });
      return await upload.send(first.value, parts, { ifAbsent });
    } finally {
      await parts.return();
    }
  }

  async *#uploadsUnderWay() {
    let markers: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {};
    while (markers) {
      const command: ListMultipartUploadsCommand = new ListMultipartUploadsCommand({
        Bucket: this.#bucket,
        ...markers,
      });
      const page: ListMultipartUploadsCommandOutput = await this.#client.send(command);
      yield* page.Uploads ?? [];
      const { IsTruncated, NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page;
      const hasMore = IsTruncated === true && KeyMarker !== undefined;
      markers = hasMore ? { KeyMarker, ...(UploadIdMarker !== undefined && { UploadIdMarker }) } : undefined;
    }
  }

  #request(key: string, range: ObjectRange | undefined, etag: string | undefined, signal: AbortSignal) {
    const command = new GetObjectCommand({
      Bucket: this.#bucket,
      Key: key,
      ...(range && { Range: `bytes=${range.first}-${range.last ?? ""}` }),
      ...(etag !== undefined && { IfMatch: `"${etag}"` }),
    });
    return this.#client.send(command, { abortSignal: signal });
  }

  #readError(error: unknown, signal: AbortSignal | undefined): unknown {
    if (!isS3Error(error, "InvalidRange")) return s3ErrorOf(error, this.#bucket, signal);
    return new DomainError("RANGE_NOT_SATISFIABLE", undefined, { cause: error });
  }

  async #listPage(prefix: string, token: string | undefined, signal: AbortSignal | undefined) {
    signal?.throwIfAborted();
    const command = new ListObjectsV2Command({
      Bucket: this.#bucket,
      Prefix: prefix,
      ...(token !== undefined && { ContinuationToken: token }),
    });
    try {
      return await this.#client.send(command, { ...(signal && { abortSignal: signal }) });
    } catch (error) {
      throw s3ErrorOf(error, this.#bucket, signal);
    }
  }

  async #deleteSome(keys: readonly string[]): Promise<void> {
    const Objects = keys.map((Key) => ({ Key }));
    const command = new DeleteObjectsCommand({ Bucket: this.#bucket, Delete: { Objects, Quiet: true } });
    try {
      const { Errors = [] } = await this.#client.send(command);
      const [first] = Errors.filter(({ Code }) => Code !== "NoSuchKey");
      if (first) throw Object.assign(new Error(first.Message), { name: first.Code ?? "DeleteFailed" });
    } catch (error) {
      throw s3ErrorOf(error, this.#bucket);
    }
  }
}

/** Tells what the source of a put threw from what the store did. */
class SourceFaults {
  readonly #faults = new Set<unknown>();

  has(error: unknown): boolean {
    return this.#faults.has(error);
  }

  of(body: Uint8Array | AsyncIterable<Uint8Array>): Uint8Array | AsyncIterable<Uint8Array> {
    return body instanceof Uint8Array ? body : this.#watch(body);
  }

  async *#watch(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* body;
    } catch (error) {
      this.#faults.add(error);
      throw error;
    }
  }
}

function infoOf(key: string, answer: HeadObjectCommandOutput | GetObjectCommandOutput, sizeBytes = 0): ObjectInfo {
  return { key, sizeBytes, etag: unquoted(answer.ETag ?? ""), modifiedAtMs: answer.LastModified?.getTime() ?? 0 };
}

function unquoted(etag: string): string {
  return etag.replaceAll('"', "");
}

/** The server may take a range to be satisfiable that is not: of an object without bytes, for instance. */
function unlessItThrows<Result>(run: () => Result, cleanUp: () => void): Result {
  try {
    return run();
  } catch (error) {
    cleanUp();
    throw error;
  }
}
