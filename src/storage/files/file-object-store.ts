import { randomUUID } from "node:crypto";
import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, link, mkdir, open, opendir, rename, rmdir, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Clock, systemClock } from "../../core/clock.ts";
import { DomainError } from "../../core/errors.ts";
import { checkKeyPrefix, checkObjectKey, isObjectKey } from "../object-key.ts";
import { selectBytes } from "../object-range.ts";
import type { GetOptions, ListOptions, ObjectBody, ObjectInfo, ObjectStore, PutOptions } from "../object-store.ts";
import { sourceChunks } from "../source-chunks.ts";
import { absent, codeOf, domainErrorOf, onDisk } from "./disk-error.ts";
import { readBytes } from "./file-bytes.ts";
import { writeAll } from "./write-all.ts";

/** Beside the objects, so that a rename never leaves the file system; no key has a `~`. */
const INCOMING = "~incoming";
/** Few, large writes: a call to the disk costs about as much for 1 MiB as for 64 KiB. */
const WRITE_BYTES = 1024 * 1024;
/** A directory that others delete while we put into it is made anew; more often than this it is no accident. */
const MAX_PUBLISH_ATTEMPTS = 20;
const MAX_KNOWN_DIRECTORIES = 10_000;
const DELETE_CONCURRENCY = 16;

export interface FileObjectStoreOptions {
  /** Made when it is missing; belongs to the store alone. Several processes may open it. */
  readonly directory: string;
  readonly clock?: Clock;
}

/**
 * Objects as files, named by their keys. What a put resolved with survives a power cut: the bytes, and every directory on the
 * way to them, are synced first. Readers of an object that is replaced or deleted read on to its end.
 */
export class FileObjectStore implements ObjectStore {
  readonly #directory: string;
  readonly #incoming: string;
  readonly #clock: Clock;
  /** Directories whose names are on disk, all the way up. */
  readonly #known = new Set<string>();

  private constructor({ directory, clock = systemClock }: FileObjectStoreOptions) {
    this.#directory = directory;
    this.#incoming = join(directory, INCOMING);
    this.#clock = clock;
  }

  static async open(options: FileObjectStoreOptions): Promise<FileObjectStore> {
    const store = new FileObjectStore(options);
    await onDisk(mkdir(store.#incoming, { recursive: true }));
    return store;
  }

  localPath(key: string): string {
    checkObjectKey(key);
    return join(this.#directory, key);
  }

  async put(
    key: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    { ifAbsent = false, signal }: PutOptions = {},
  ): Promise<ObjectInfo | undefined> {
    const path = this.localPath(key);
    signal?.throwIfAborted();
    if (ifAbsent && (await this.head(key))) return undefined;
    const temporary = join(this.#incoming, randomUUID());
    try {
      const written = await this.#write(temporary, body, signal);
      const isPublished = await this.#publish(temporary, path, ifAbsent);
      return isPublished ? infoOf(key, written) : undefined;
    } finally {
      await onDisk(absent(unlink(temporary)));
    }
  }

  /** False for a file that lies on another file system. */
  async adopt(key: string, path: string): Promise<boolean> {
    const file = await onDisk(open(path, "r+"));
    try {
      const nowS = this.#clock.nowMs() / 1000;
      await onDisk(file.utimes(nowS, nowS));
      await onDisk(file.sync());
    } finally {
      await file.close();
    }
    try {
      return await this.#publish(path, this.localPath(key), false);
    } catch (error) {
      if (error instanceof DomainError && codeOf(error.cause) === "EXDEV") return false;
      throw error;
    }
  }

  async get(key: string, { range, signal }: GetOptions = {}): Promise<ObjectBody | undefined> {
    const path = this.localPath(key);
    signal?.throwIfAborted();
    const file = await onDisk(absent(open(path, constants.O_RDONLY)));
    if (!file) return undefined;
    try {
      const stats = await onDisk(file.stat({ bigint: true }));
      if (!stats.isFile()) {
        await file.close();
        return undefined;
      }
      const info = infoOf(key, stats);
      const selected = selectBytes(range, info.sizeBytes);
      return { info, range: selected, ...readBytes(file, selected, signal) };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    const stats = await onDisk(absent(stat(this.localPath(key), { bigint: true })));
    return stats?.isFile() ? infoOf(key, stats) : undefined;
  }

  async *list(prefix: string, { signal }: ListOptions = {}): AsyncGenerator<ObjectInfo, void, undefined> {
    checkKeyPrefix(prefix);
    const cut = prefix.lastIndexOf("/") + 1;
    yield* this.#walk(prefix.slice(0, cut), prefix.slice(cut), signal);
  }

  async delete(keys: readonly string[]): Promise<void> {
    const paths = keys.map((key) => this.localPath(key));
    for (let i = 0; i < paths.length; i += DELETE_CONCURRENCY) {
      const batch = paths.slice(i, i + DELETE_CONCURRENCY);
      await Promise.all(batch.map((path) => onDisk(absent(unlinkFile(path)))));
    }
    for (const directory of new Set(paths.map((path) => dirname(path)))) await this.#removeIfEmpty(directory);
  }

  async removeLeftovers(olderThanMs: number, { isDryRun = false } = {}): Promise<readonly string[]> {
    const beforeMs = this.#clock.nowMs() - olderThanMs;
    const found: string[] = [];
    for await (const entry of await onDisk(opendir(this.#incoming))) {
      const path = join(this.#incoming, entry.name);
      const stats = await onDisk(absent(stat(path)));
      if (!stats || stats.mtimeMs > beforeMs) continue;
      if (!isDryRun) await onDisk(absent(unlink(path)));
      found.push(`${INCOMING}/${entry.name}`);
    }
    return found;
  }

  async check(): Promise<void> {
    const path = join(this.#incoming, randomUUID());
    try {
      await this.#write(path, Buffer.from("check"), undefined);
    } finally {
      await onDisk(absent(unlink(path)));
    }
  }

  async close(): Promise<void> {}

  async #write(
    path: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    signal: AbortSignal | undefined,
  ): Promise<BigIntStats> {
    const file = await onDisk(open(path, "wx"));
    try {
      for await (const chunks of inLargePieces(sourceChunks(body, signal))) await onDisk(writeAll(file, chunks));
      await onDisk(file.sync());
      return await onDisk(file.stat({ bigint: true }));
    } finally {
      // A network's file system may only now find out that it has no room.
      await onDisk(file.close());
    }
  }

  /** Gives the finished file its name; false when `ifAbsent` and the name is taken. */
  async #publish(temporary: string, path: string, ifAbsent: boolean): Promise<boolean> {
    const directory = dirname(path);
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#makeDirectory(directory);
        await (ifAbsent ? link(temporary, path) : rename(temporary, path));
        await syncDirectory(directory);
        return true;
      } catch (error) {
        if (ifAbsent && codeOf(error) === "EEXIST") return false;
        this.#known.delete(directory);
        // A recursive `mkdir` says ENOTDIR too when a directory it had met is gone as it looks at it again.
        const mayHaveVanished = codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR";
        if (!mayHaveVanished || attempt === MAX_PUBLISH_ATTEMPTS) throw publishError(error, path);
        // Out of step with whoever makes and deletes them in the same rhythm.
        await delay(Math.random() * attempt);
      }
    }
  }

  /**
   * Syncs also what was there already: another put may have made it a moment ago and not have come to its sync yet, and
   * would take what is acknowledged here along when the power goes.
   */
  async #makeDirectory(directory: string): Promise<void> {
    if (this.#known.has(directory)) return;
    await mkdir(directory, { recursive: true });
    for (let made = directory; made !== this.#directory; made = dirname(made)) await syncDirectory(dirname(made));
    if (this.#known.size >= MAX_KNOWN_DIRECTORIES) this.#known.clear();
    this.#known.add(directory);
  }

  async #removeIfEmpty(directory: string): Promise<void> {
    for (let each = directory; each !== this.#directory; each = dirname(each)) {
      this.#known.delete(each);
      try {
        await rmdir(each);
      } catch (error) {
        // Where another delete was faster, its parents may still be ours to remove.
        if (codeOf(error) === "ENOENT") continue;
        if (codeOf(error) === "ENOTEMPTY" || codeOf(error) === "ENOTDIR") return;
        throw domainErrorOf(error);
      }
    }
  }

  /** Objects below `parent` (which ends with a slash, or is empty) whose first name begins with `beginning`. */
  async *#walk(
    parent: string,
    beginning: string,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<ObjectInfo, void, undefined> {
    const directory = await onDisk(absent(opendir(join(this.#directory, parent))));
    if (!directory) return;
    for await (const entry of directory) {
      signal?.throwIfAborted();
      const key = `${parent}${entry.name}`;
      if (!entry.name.startsWith(beginning) || !isObjectKey(key)) continue;
      if (entry.isDirectory()) {
        yield* this.#walk(`${key}/`, "", signal);
        continue;
      }
      const info = await this.head(key);
      if (info) yield info;
    }
  }
}

function infoOf(key: string, stats: BigIntStats): ObjectInfo {
  // Each put makes a new inode while the old one still is there; the time tells one that is used again.
  const etag = [stats.ino, stats.size, stats.mtimeNs].map((figure) => figure.toString(36)).join("-");
  return { key, sizeBytes: Number(stats.size), etag, modifiedAtMs: Number(stats.mtimeMs) };
}

async function* inLargePieces(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array[], void, undefined> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  for await (const chunk of chunks) {
    held.push(chunk);
    heldBytes += chunk.byteLength;
    if (heldBytes < WRITE_BYTES) continue;
    yield held;
    held = [];
    heldBytes = 0;
  }
  yield held;
}

async function syncDirectory(path: string): Promise<void> {
  let directory: FileHandle | undefined;
  try {
    directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    await directory.sync();
  } finally {
    await directory?.close();
  }
}

/** A directory is no object: there is nothing to delete. */
async function unlinkFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (codeOf(error) !== "EISDIR") throw error;
  }
}

function publishError(error: unknown, path: string): DomainError {
  const isTaken = ["EISDIR", "ENOTDIR", "EEXIST", "ENOTEMPTY"].includes(codeOf(error) ?? "");
  if (!isTaken) return domainErrorOf(error);
  return new DomainError("INVALID_REQUEST", `another object's key begins or continues where ${path} stands`, {
    cause: error,
  });
}
