import { randomUUID } from "node:crypto";
import {
  DeleteObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
} from "@aws-sdk/client-s3";
import type { Logger } from "../../core/logger.ts";
import { attemptCountOf, isS3Error } from "./s3-connection.ts";

/** Who put an object, so that a put whose answer was lost knows its own work again. */
const PUT_ID = "headwater-put";
const TAKEN = ["PreconditionFailed", "412"];
/** Another put or delete of the key is under way. */
const CONFLICT = "ConditionalRequestConflict";
const MAX_CONFLICT_COUNT = 5;

export interface PutTarget {
  readonly Bucket: string;
  readonly Key: string;
  readonly ContentType?: string;
}

/** Sends what makes the object visible; a `condition` of undefined means without one. Throws what S3 throws. */
type Publish = (condition: "*" | undefined, metadata: Record<string, string>) => Promise<string | undefined>;

/**
 * Puts that must not replace anything, by If-None-Match. A server that does not know it (it would replace the object and say
 * nothing) is found out once; there a put looks first, which is safe against puts of this process and no others.
 */
export class ConditionalPuts {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #log: Logger;
  #areKnown: Promise<boolean> | undefined;
  /** The puts that look first, by key, so that they do so one after the other. */
  readonly #looking = new Map<string, Promise<unknown>>();

  constructor({ client, bucket, log }: { client: S3Client; bucket: string; log: Logger }) {
    this.#client = client;
    this.#bucket = bucket;
    this.#log = log;
  }

  /** Puts `bytes` in one request. Undefined when `ifAbsent` and the key is taken. */
  async put(
    target: PutTarget,
    bytes: Uint8Array,
    { ifAbsent, signal }: { readonly ifAbsent: boolean; readonly signal: AbortSignal | undefined },
  ): Promise<{ etag: string; sizeBytes: number } | undefined> {
    const send = async (condition: "*" | undefined, Metadata: Record<string, string>) => {
      const input: PutObjectCommandInput = { ...target, Body: bytes, Metadata };
      if (condition) input.IfNoneMatch = condition;
      return (await this.#client.send(new PutObjectCommand(input), signal && { abortSignal: signal })).ETag;
    };
    const etag = await this.publish(target, send, { ifAbsent });
    return etag === undefined ? undefined : { etag, sizeBytes: bytes.byteLength };
  }

  /** The etag of what `send` has made visible, or undefined when `ifAbsent` and the key is taken. */
  async publish(
    target: PutTarget,
    send: Publish,
    { ifAbsent, putId = randomUUID() }: { readonly ifAbsent: boolean; readonly putId?: string },
  ): Promise<string | undefined> {
    const metadata = { [PUT_ID]: putId };
    if (!ifAbsent) return unquoted(await send(undefined, metadata));
    if (await this.#isSupported()) return this.#publishOnCondition(target, send, metadata);
    return this.#alone(target.Key, async () => {
      if (await this.#look(target)) return undefined;
      return unquoted(await send(undefined, metadata));
    });
  }

  /** What to give a multipart upload when it begins, so that `publish` knows it again. */
  metadataFor(putId: string): Record<string, string> {
    return { [PUT_ID]: putId };
  }

  /** The etag of the object when it is the one that `putId` put. */
  async findOwn(target: PutTarget, putId: string): Promise<string | undefined> {
    const found = await this.#look(target);
    return found?.Metadata?.[PUT_ID] === putId ? unquoted(found.ETag) : undefined;
  }

  async #publishOnCondition(
    target: PutTarget,
    send: Publish,
    metadata: Record<string, string>,
  ): Promise<string | undefined> {
    for (let conflictCount = 0; ; ) {
      try {
        return unquoted(await send("*", metadata));
      } catch (error) {
        if (isS3Error(error, ...TAKEN)) {
          // The first answer may have been lost on its way, and what the second one met be our own object.
          return attemptCountOf(error) > 1 ? this.findOwn(target, metadata[PUT_ID] ?? "") : undefined;
        }
        conflictCount += 1;
        if (!isS3Error(error, CONFLICT) || conflictCount > MAX_CONFLICT_COUNT) throw error;
      }
    }
  }

  async #look({ Bucket, Key }: PutTarget) {
    try {
      return await this.#client.send(new HeadObjectCommand({ Bucket, Key }));
    } catch (error) {
      if (isS3Error(error, "NotFound", "NoSuchKey")) return undefined;
      throw error;
    }
  }

  async #alone<Result>(key: string, run: () => Promise<Result>): Promise<Result> {
    const before = this.#looking.get(key) ?? Promise.resolve();
    const turn = before.then(run, run);
    this.#looking.set(key, turn);
    try {
      return await turn;
    } finally {
      if (this.#looking.get(key) === turn) this.#looking.delete(key);
    }
  }

  #isSupported(): Promise<boolean> {
    this.#areKnown ??= this.#probe().catch((error: unknown) => {
      this.#areKnown = undefined;
      throw error;
    });
    return this.#areKnown;
  }

  /** Puts the same small object twice on condition: who lets the second one through does not look. */
  async #probe(): Promise<boolean> {
    const target = { Bucket: this.#bucket, Key: `.headwater/conditions-${randomUUID()}` };
    const put = () => this.#client.send(new PutObjectCommand({ ...target, Body: "", IfNoneMatch: "*" }));
    try {
      await put();
      await put();
    } catch (error) {
      if (isS3Error(error, ...TAKEN)) return true;
      if (!isS3Error(error, "NotImplemented", "InvalidArgument", "InvalidRequest")) throw error;
    } finally {
      await this.#client.send(new DeleteObjectCommand(target));
    }
    this.#log.warn(
      { bucket: this.#bucket },
      "the object store ignores If-None-Match: two processes that put the same new object at once replace one another",
    );
    return false;
  }
}

function unquoted(etag: string | undefined): string {
  return (etag ?? "").replaceAll('"', "");
}
