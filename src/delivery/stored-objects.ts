import type { Clock } from "../core/clock.ts";
import { evaluatePreconditions, isRangeCurrent } from "../http/conditional.ts";
import { PUBLIC_CORS_HEADERS } from "../http/cors.ts";
import { type FlatHeaders, writeHead } from "../http/flat-headers.ts";
import type { HttpRequest, HttpResponse } from "../http/http-exchange.ts";
import { selectRange } from "../http/ranges.ts";
import type { ObjectBody, ObjectStore } from "../storage/object-store.ts";
import { type Answer, answerAbsent, answerUnavailable, endEmpty, refuse } from "./answers.ts";

/** An object of the store, with what is known of it without asking the store. */
export interface StoredObject {
  readonly key: string;
  readonly lengthBytes: number;
  readonly contentType: string;
  /** With quotes; another one for other bytes under the same address. */
  readonly etag: string;
  readonly cacheControl: string;
  /** What a browser saves it as. */
  readonly downloadName?: string | undefined;
}

export interface StoredObjectsOptions {
  readonly store: Pick<ObjectStore, "get">;
  readonly clock: Clock;
  /** Told of an object that is not there, or not as it was stored. */
  readonly onDamage: (key: string) => void;
  /** Objects that are read at the same time; each holds a file or a connection of the store. */
  readonly maxReadCount: number;
  /** A reader that takes nothing for so long is cut. */
  readonly stallMs: number;
  readonly onSlowReader: () => void;
}

/** What of an object is sent, and under which head. */
interface Sending {
  readonly status: 200 | 206;
  readonly first: number;
  readonly lengthBytes: number;
  readonly headers: FlatHeaders;
}

/** Sends objects of a store as fast as their readers take them, and not faster: what waits is in the store. */
export class StoredObjects {
  readonly #options: StoredObjectsOptions;
  #readCount = 0;

  constructor(options: StoredObjectsOptions) {
    this.#options = options;
  }

  /** Answers a GET or HEAD: whole, a range of it (206, 416), unchanged (304) or refused (412). The store is asked for bytes alone. */
  async answer(req: HttpRequest, res: HttpResponse, object: StoredObject): Promise<Answer> {
    const validators: FlatHeaders = ["ETag", object.etag, "Cache-Control", object.cacheControl, ...PUBLIC_CORS_HEADERS];
    const outcome = evaluatePreconditions(req.method, req.headers, object);
    if (outcome === "not-modified") {
      writeHead(res, 304, validators);
      return endEmpty(res, 304);
    }
    if (outcome === "failed") return refuse(req, res, "the object is another", 412);
    const sending = plan(req, object, validators);
    if (!sending) {
      const contentRange = ["Content-Range", `bytes */${object.lengthBytes}`];
      return refuse(req, res, "no byte of the object lies in the range", 416, contentRange);
    }
    if (req.method === "HEAD" || sending.lengthBytes === 0) {
      writeHead(res, sending.status, sending.headers);
      return endEmpty(res, sending.status);
    }
    if (this.#readCount >= this.#options.maxReadCount)
      return answerUnavailable(req, res, "too many objects are read now");
    this.#readCount++;
    try {
      return await this.#send(req, res, object, sending);
    } finally {
      this.#readCount--;
    }
  }

  async #send(req: HttpRequest, res: HttpResponse, object: StoredObject, sending: Sending): Promise<Answer> {
    const gone = new AbortController();
    const onClose = () => gone.abort();
    res.on("close", onClose);
    try {
      const body = await this.#open(object, sending, gone.signal);
      if (!body) return answerAbsent(req, res);
      return await this.#copy(res, body, sending, gone.signal);
    } catch (error) {
      // Nobody is there any more to be told.
      if (gone.signal.aborted) return { status: sending.status, bodyBytes: 0 };
      throw error;
    } finally {
      res.off("close", onClose);
    }
  }

  /** Undefined when the store does not have what the records say that it has. */
  async #open(
    { key, lengthBytes }: StoredObject,
    sending: Sending,
    signal: AbortSignal,
  ): Promise<ObjectBody | undefined> {
    const { first } = sending;
    const range = sending.status === 206 ? { first, last: first + sending.lengthBytes - 1 } : undefined;
    const body = await this.#options.store.get(key, { signal, ...(range && { range }) });
    if (body?.info.sizeBytes === lengthBytes) return body;
    body?.cancel();
    this.#options.onDamage(key);
    return undefined;
  }

  /** The head leaves with the first bytes: until then a fault of the store can still be told. */
  async #copy(res: HttpResponse, object: ObjectBody, sending: Sending, gone: AbortSignal): Promise<Answer> {
    let bodyBytes = 0;
    for await (const bytes of object.body) {
      if (gone.aborted) break;
      if (bodyBytes === 0) writeHead(res, sending.status, sending.headers);
      bodyBytes += bytes.byteLength;
      if (bodyBytes >= sending.lengthBytes) {
        res.end(bytes);
        return { status: sending.status, bodyBytes };
      }
      if (!res.write(bytes) && !(await this.#isDrained(res, gone))) break;
    }
    // Its length was promised: the reader must see that this is not all of it.
    if (!gone.aborted) res.destroy();
    return { status: sending.status, bodyBytes };
  }

  /** Whether the reader took what it was sent; false when it left, or had to be cut. */
  #isDrained(res: HttpResponse, gone: AbortSignal): Promise<boolean> {
    const { clock, stallMs, onSlowReader } = this.#options;
    return new Promise((resolve) => {
      const finish = (isDrained: boolean) => {
        cancelTimer();
        res.off("drain", onDrain);
        gone.removeEventListener("abort", onGone);
        resolve(isDrained);
      };
      const onDrain = () => finish(true);
      const onGone = () => finish(false);
      const cancelTimer = clock.after(stallMs, () => {
        onSlowReader();
        finish(false);
      });
      res.on("drain", onDrain);
      gone.addEventListener("abort", onGone, { once: true });
      if (gone.aborted) onGone();
    });
  }
}

/** Undefined when the range that is asked for lies outside. */
function plan(req: HttpRequest, object: StoredObject, validators: FlatHeaders): Sending | undefined {
  const { lengthBytes, contentType, downloadName } = object;
  const disposition =
    downloadName === undefined ? [] : ["Content-Disposition", `attachment; ${fileName(downloadName)}`];
  const own = ["Content-Type", contentType, "Accept-Ranges", "bytes", ...disposition, ...validators];
  // A range counts for GET alone (RFC 9110 §14.2).
  const isRanged = req.method === "GET" && isRangeCurrent(req.headers["if-range"]?.toString(), object);
  const selection = selectRange(isRanged ? req.headers.range : undefined, lengthBytes);
  if (selection.kind === "unsatisfiable") return undefined;
  if (selection.kind === "full") {
    return { status: 200, first: 0, lengthBytes, headers: ["Content-Length", String(lengthBytes), ...own] };
  }
  const { first, last } = selection;
  const partBytes = last - first + 1;
  const range = ["Content-Length", String(partBytes), "Content-Range", `bytes ${first}-${last}/${lengthBytes}`];
  return { status: 206, first, lengthBytes: partBytes, headers: [...range, ...own] };
}

/** RFC 6266: for the oldest clients in ASCII, for all others as it is. */
function fileName(name: string): string {
  const plain = name.replace(/[^\x20-\x7e]|["\\%]/g, "_");
  const coded = encodeURIComponent(name.toWellFormed()).replace(
    /['()*]/g,
    (mark) => `%${mark.charCodeAt(0).toString(16)}`,
  );
  return `filename="${plain}"; filename*=UTF-8''${coded}`;
}
