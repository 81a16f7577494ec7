/** What is known of an object without reading it. */
export interface ObjectInfo {
  readonly key: string;
  readonly sizeBytes: number;
  /** Another one for other bytes under the same key; opaque, without quotes. */
  readonly etag: string;
  readonly modifiedAtMs: number;
}

/** Bytes `first` to `last`, both included; to the end without `last`. */
export interface ObjectRange {
  readonly first: number;
  readonly last?: number | undefined;
}

/** An object that is being read. Whoever has it reads `body` to its end, leaves its loop, or calls `cancel`. */
export interface ObjectBody {
  readonly info: ObjectInfo;
  /** Where `body` stands in the object; its `last` is within it. */
  readonly range: { readonly first: number; readonly last: number };
  readonly body: AsyncIterable<Uint8Array>;
  /** Lets go of the object; whoever still reads `body` is thrown an error. After the end it does nothing. */
  cancel(): void;
}

export interface PutOptions {
  /** Puts nothing when the key has an object already; the answer is undefined then. */
  readonly ifAbsent?: boolean;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
}

export interface GetOptions {
  readonly range?: ObjectRange;
  readonly signal?: AbortSignal;
}

export interface ListOptions {
  /** At its abort the listing throws its reason, whatever it waits for. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Where media are kept, by key. A key is `/`-separated names of `A-Z a-z 0-9 . _ -`, none of them `.` or `..` or longer than
 * 255 bytes, at most 512 bytes in all; any other is refused with INVALID_REQUEST. Nobody may count on keeping both `a` and
 * `a/b`. An object is there whole or not at all, whatever happens while it is put. Faults of the store are UNAVAILABLE, with
 * what the store said as the cause; no space left is STORAGE_FULL. What the bytes of a put throw, or the reason of its
 * signal, comes out of it as it is. One suite of tests, object-store-contract.ts, is run on every implementation.
 */
export interface ObjectStore {
  /** Puts bytes, or a stream of them that is never whole in memory. On disk (or the like) when it resolves. */
  put(key: string, body: Uint8Array | AsyncIterable<Uint8Array>, options?: PutOptions): Promise<ObjectInfo | undefined>;
  /** Undefined when there is none. A range that begins behind the end throws RANGE_NOT_SATISFIABLE. */
  get(key: string, options?: GetOptions): Promise<ObjectBody | undefined>;
  head(key: string): Promise<ObjectInfo | undefined>;
  /** All whose key begins with `prefix`, in no order that is promised. */
  list(prefix: string, options?: ListOptions): AsyncIterable<ObjectInfo>;
  /** What is not there is deleted already. */
  delete(keys: readonly string[]): Promise<void>;
  /**
   * Removes what puts have left behind that a crash cut off and that nobody has added to for `olderThanMs`; gives a name for
   * each. In a dry run it only finds them. None of it was ever visible as an object.
   */
  removeLeftovers(olderThanMs: number, options?: { readonly isDryRun?: boolean }): Promise<readonly string[]>;
  /** Where a store on this machine's disk keeps the object, whether or not it is there: a file that is only read. Undefined elsewhere. */
  localPath?(key: string): string | undefined;
  /**
   * Makes a whole file of this machine an object without copying it: it is moved. On disk, and as young as if it had just been
   * put, when it resolves with true; nothing was done when it is false, or the store has no such thing.
   */
  adopt?(key: string, path: string): Promise<boolean>;
  /** Resolves when objects can be put and read; throws why not. */
  check(): Promise<void>;
  close(): Promise<void>;
}
