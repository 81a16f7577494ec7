import type { Stats } from "node:fs";
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { DomainError } from "../core/errors.ts";
import { parseVideoId, type VideoId } from "../core/ids.ts";
import { writeAll } from "../storage/files/write-all.ts";

/** Few, large writes: many uploads that come in small pieces share the disk. */
const WRITE_BYTES = 512 * 1024;
const FULL = ["ENOSPC", "EDQUOT", "EFBIG"];
const RECORD = ".json";
const BYTES = ".part";

const recordSchema = z.strictObject({
  version: z.literal(1),
  /** Where the original is put once it is whole. */
  key: z.string(),
  sizeBytes: z.int().positive(),
  fileName: z.string(),
  title: z.string().nullable(),
  description: z.string().nullable(),
  /** Upload-Metadata as it came. */
  metadata: z.string(),
});

/** What is said of an original that is coming in pieces. */
export type PartialRecord = Omit<z.output<typeof recordSchema>, "version">;

export interface FoundPartial {
  readonly videoId: VideoId;
  readonly record: PartialRecord;
  /** What is there of it. All of it, where its file has been moved on already. */
  readonly offsetBytes: number;
  readonly changedAtMs: number;
}

/** Originals that have come in part: for each a file of what is there, and one that says what it will be. */
export class PartialFiles {
  readonly #directory: string;

  /** `directory` belongs to this object alone, and is made by `readAll` when it is missing. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Where the bytes lie. */
  pathOf(videoId: VideoId): string {
    return join(this.#directory, `${videoId}${BYTES}`);
  }

  #recordPath(videoId: VideoId): string {
    return join(this.#directory, `${videoId}${RECORD}`);
  }

  /** All that earlier servers left; what makes no sense is deleted. */
  async readAll(): Promise<readonly FoundPartial[]> {
    await onDisk(mkdir(this.#directory, { recursive: true }));
    const names = await onDisk(readdir(this.#directory));
    const found = await Promise.all(names.filter((name) => name.endsWith(RECORD)).map((name) => this.#read(name)));
    const partials = found.filter((each) => each !== undefined);
    const known = new Set(partials.flatMap(({ videoId }) => [`${videoId}${RECORD}`, `${videoId}${BYTES}`]));
    for (const name of names) if (!known.has(name)) await onDisk(rm(join(this.#directory, name), { recursive: true }));
    return partials;
  }

  async #read(name: string): Promise<FoundPartial | undefined> {
    const videoId = parseVideoId(name.slice(0, -RECORD.length));
    if (!videoId) return undefined;
    const text = await onDisk(readFile(this.#recordPath(videoId), "utf8"));
    const parsed = recordSchema.safeParse(asJson(text));
    if (!parsed.success) return undefined;
    const { version: _, ...record } = parsed.data;
    const bytes = await statsOf(this.pathOf(videoId));
    const { mtimeMs: changedAtMs } = bytes ?? (await onDisk(stat(this.#recordPath(videoId))));
    return { videoId, record, offsetBytes: bytes?.size ?? record.sizeBytes, changedAtMs };
  }

  /** Throws STORAGE_FULL when all of it could not be kept. */
  async create(videoId: VideoId, record: PartialRecord): Promise<void> {
    const { bavail, bsize } = await onDisk(statfs(this.#directory));
    if (record.sizeBytes > bavail * bsize) throw storageFull();
    try {
      await onDisk((await open(this.pathOf(videoId), "wx")).close());
      const temporary = join(this.#directory, `${videoId}.new`);
      await onDisk(writeDurably(temporary, JSON.stringify({ version: 1, ...record })));
      await onDisk(rename(temporary, this.#recordPath(videoId)));
    } catch (error) {
      await this.remove(videoId);
      throw error;
    }
  }

  /**
   * Adds bytes at `offsetBytes`, as far as they come; `onWritten` is told how much is there. On disk when it resolves, and also
   * what came before it throws, which is what `bytes` threw, or STORAGE_FULL.
   */
  async append(
    videoId: VideoId,
    offsetBytes: number,
    bytes: AsyncIterable<Uint8Array>,
    onWritten: (offsetBytes: number) => void,
  ): Promise<void> {
    const file = await onDisk(open(this.pathOf(videoId), "r+"));
    const writer = new PieceWriter(file, offsetBytes, onWritten);
    try {
      try {
        for await (const chunk of bytes) await writer.write(chunk);
      } finally {
        await writer.flush();
        await onDisk(file.sync());
      }
    } finally {
      await file.close();
    }
  }

  /** Whether the bytes are still here. */
  async hasBytes(videoId: VideoId): Promise<boolean> {
    return (await statsOf(this.pathOf(videoId))) !== undefined;
  }

  async removeBytes(videoId: VideoId): Promise<void> {
    await onDisk(rm(this.pathOf(videoId), { force: true }));
  }

  /** Deletes what is there of it. */
  async remove(videoId: VideoId): Promise<void> {
    // The record last: without it nobody would know whose the bytes are.
    for (const path of [this.pathOf(videoId), join(this.#directory, `${videoId}.new`), this.#recordPath(videoId)]) {
      await onDisk(rm(path, { force: true }));
    }
  }
}

/** Gathers small pieces into large writes. */
class PieceWriter {
  readonly #file: FileHandle;
  readonly #onWritten: (offsetBytes: number) => void;
  #offsetBytes: number;
  #held: Uint8Array[] = [];
  #heldBytes = 0;

  constructor(file: FileHandle, offsetBytes: number, onWritten: (offsetBytes: number) => void) {
    this.#file = file;
    this.#offsetBytes = offsetBytes;
    this.#onWritten = onWritten;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#held.push(chunk);
    this.#heldBytes += chunk.byteLength;
    if (this.#heldBytes >= WRITE_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    const [chunks, byteCount] = [this.#held, this.#heldBytes];
    this.#held = [];
    this.#heldBytes = 0;
    await onDisk(writeAll(this.#file, chunks, this.#offsetBytes));
    this.#offsetBytes += byteCount;
    this.#onWritten(this.#offsetBytes);
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, "w");
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Undefined when there is no such file. */
async function statsOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw diskError(error);
  }
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // cut by a power failure, or not ours
  }
}

async function onDisk<Result>(call: Promise<Result>): Promise<Result> {
  try {
    return await call;
  } catch (error) {
    throw diskError(error);
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

function diskError(cause: unknown): DomainError {
  const code = codeOf(cause) ?? String(cause);
  if (FULL.includes(code)) return storageFull(cause);
  return new DomainError("UNAVAILABLE", `the disk for uploads failed (${code})`, { cause });
}

function storageFull(cause?: unknown): DomainError {
  return new DomainError("STORAGE_FULL", "the disk for uploads has no room for this file", { cause });
}
