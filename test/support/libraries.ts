import { createReadStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { TestContext } from "node:test";
import { Catalog } from "../../src/catalog/catalog.ts";
import type { VideoRecord, VideoStatus } from "../../src/catalog/video-record.ts";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import type { VideoId } from "../../src/core/ids.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { Database } from "../../src/database/database.ts";
import { findProgram } from "../../src/encode/ffmpeg/probe.ts";
import { EmbeddedJobQueue } from "../../src/jobs/embedded/embedded-job-queue.ts";
import type { JobHandler, JobWorker } from "../../src/jobs/job-queue.ts";
import type { ArtifactKind } from "../../src/library/artifacts/artifact-kind.ts";
import { Library, type LibraryOptions, type TakenVideo } from "../../src/library/library.ts";
import { DEFAULT_AUDIO_CODECS, DEFAULT_VIDEO_CODECS } from "../../src/library/probe/source-limits.ts";
import { FileObjectStore } from "../../src/storage/files/file-object-store.ts";
import type { ObjectStore } from "../../src/storage/object-store.ts";

/** Segments and chunks of a test are short, so that few seconds of film make several. */
const PLANNING = {
  profiles: ["360p", "240p"],
  isAskedFor: false,
  copiesVideo: true,
  copiesAudio: true,
  audioCodecs: DEFAULT_AUDIO_CODECS,
  segmentTargetMs: 1_000,
  chunkTargetMs: 2_000,
} as const satisfies LibraryOptions["planning"];

const LIMITS: LibraryOptions["limits"] = {
  maxDurationMs: 60_000,
  maxPictureSide: 4096,
  videoCodecs: DEFAULT_VIDEO_CODECS,
  audioCodecs: DEFAULT_AUDIO_CODECS,
};

async function programAt(name: string): Promise<LibraryOptions["ffprobe"]["program"]> {
  const path = await findProgram(name, process.env.PATH ?? "");
  if (path === undefined) throw new Error(`these tests run ${name}`);
  return { path, environment: {}, workDir: tmpdir(), niceness: 0 };
}

export interface LibraryStart {
  /** Its records and objects; one of its own when left out. */
  readonly dataDir?: string;
  readonly planning?: Partial<LibraryOptions["planning"]>;
  readonly limits?: Partial<LibraryOptions["limits"]>;
  /** None, when left out. */
  readonly artifacts?: readonly ArtifactKind[];
  /** The library's, not that of records and jobs. */
  readonly clock?: Clock;
  /** What the library has in place of the store, to hold it up or to count what it asks for. */
  readonly watch?: (store: FileObjectStore) => ObjectStore;
}

/** A library over SQLite and files, as one process has it. */
export class TestLibrary {
  readonly dataDir: string;
  readonly catalog: Catalog;
  readonly jobs: EmbeddedJobQueue;
  readonly store: FileObjectStore;
  readonly library: Library;
  readonly #database: Database;
  readonly #workers = new Set<JobWorker>();

  /** Ends with the test. */
  static async open(t: TestContext, start: LibraryStart = {}): Promise<TestLibrary> {
    const dataDir = start.dataDir ?? (await TestLibrary.directory(t));
    const opened = await TestLibrary.at(dataDir, start);
    t.after(() => opened.close());
    return opened;
  }

  static async directory(t: TestContext): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), "headwater-library-"));
    t.after(() => rm(directory, { recursive: true, force: true }));
    return directory;
  }

  static async at(
    dataDir: string,
    { planning, limits, artifacts = [], clock = systemClock, watch }: LibraryStart = {},
  ): Promise<TestLibrary> {
    const log = silentLogger;
    const database = await Database.open({ dataDir, url: undefined, log });
    const catalog = await Catalog.on(database);
    const retention = { ageMs: 3_600_000, count: 1000 };
    const jobs = await EmbeddedJobQueue.open({ database, leaseMs: 30_000, retention, log });
    const store = await FileObjectStore.open({ directory: join(dataDir, "objects") });
    const program = await programAt("ffmpeg");
    const library = new Library({
      videos: catalog.videos,
      jobs,
      tools: { program, store: watch?.(store) ?? store, clock, logger: log, coreCount: 2, preset: "ultrafast" },
      cores: { coreCount: 2, encodesAtOnce: 2 },
      ffprobe: { program: await programAt("ffprobe"), clock: systemClock },
      limits: { ...LIMITS, ...limits },
      planning: { ...PLANNING, ...planning },
      artifacts,
      clock,
      log,
      cleanUpIntervalMs: 3_600_000,
      failedRetentionMs: 3_600_000,
    });
    return new TestLibrary({ dataDir, database, catalog, jobs, store, library });
  }

  private constructor(
    parts: Pick<TestLibrary, "dataDir" | "catalog" | "jobs" | "store" | "library"> & { readonly database: Database },
  ) {
    this.dataDir = parts.dataDir;
    this.catalog = parts.catalog;
    this.jobs = parts.jobs;
    this.store = parts.store;
    this.library = parts.library;
    this.#database = parts.database;
  }

  /** A worker that takes jobs of all kinds, or as `change` says. */
  work(concurrency = 2, change: Readonly<Record<string, JobHandler>> = {}): JobWorker {
    const worker = this.jobs.work({ handlers: { ...this.library.handlers, ...change }, concurrency });
    this.#workers.add(worker);
    return worker;
  }

  /** Puts a file into the store as an upload does, and hands it in. */
  async upload(path: string): Promise<TakenVideo> {
    const { videoId, key } = this.library.newUpload();
    await this.store.put(key, createReadStream(path));
    return this.library.complete({ videoId, key, fileName: basename(path), title: null, description: null });
  }

  /** Resolves when the video has come to one of these. */
  async until(videoId: VideoId, ...statuses: readonly VideoStatus[]): Promise<VideoRecord> {
    for (;;) {
      const video = await this.catalog.videos.get(videoId);
      if (!video) throw new Error("the video is gone");
      if (statuses.includes(video.status)) return video;
      await this.#change(videoId, video.revision);
    }
  }

  /** The records of a video tell nobody when they change: they are looked at again and again. */
  async #change(videoId: VideoId, revision: number): Promise<void> {
    while ((await this.catalog.videos.get(videoId))?.revision === revision) {
      await new Promise<void>((resolve) => systemClock.after(20, resolve));
    }
  }

  /** Resolves when no job waits or runs. */
  async untilIdle(): Promise<void> {
    for (;;) {
      const { waiting, delayed, active } = await this.jobs.counts();
      if (waiting + delayed + active === 0) return;
      await new Promise<void>((resolve) => systemClock.after(20, resolve));
    }
  }

  async keys(): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.store.list("")) keys.push(key);
    return keys.sort();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => worker.close()));
    await this.library.close();
    await this.jobs.close();
    await this.#database.close();
    await this.store.close();
  }
}
