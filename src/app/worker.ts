import { availableParallelism, getPriority, setPriority } from "node:os";
import { Catalog } from "../catalog/catalog.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import { DomainError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { Database } from "../database/database.ts";
import type { JobHandler, JobQueue } from "../jobs/job-queue.ts";
import { askFfmpeg, findFfprobe } from "./ask-ffmpeg.ts";
import { makeDataDir } from "./data-dir.ts";
import { type OnJobEnd, tellEnds } from "./job-ends.ts";
import { openJobQueue } from "./job-queue.ts";
import { openObjectStore } from "./object-store.ts";
import { openImports } from "./open-imports.ts";
import { openLibrary } from "./open-library.ts";
import type { Config } from "./settings.ts";

/** Live encodes step back by 5: what viewers wait for now goes before what is stored. */
const STORED_ENCODE_NICENESS = 15;
/** The worker itself, which packages what ffmpeg makes, steps back behind the server. */
const WORKER_NICENESS = 5;
/** Kinds of work that keep no processor core busy for long: they run beside the encodes, and never wait for live. */
const LIGHT_KINDS: readonly string[] = [
  "video.prepare",
  "video.repackage",
  "video.text",
  "video.poster",
  "video.pictures",
  "video.delete",
];
const LIGHT_CONCURRENCY = 2;
/** Sound is made in one go: behind it, the pictures of a long film would stand still. */
const SOUND_KINDS: readonly string[] = ["video.audio"];
const SOUND_CONCURRENCY = 1;
/** They wait for other servers, perhaps for hours. */
const IMPORT_KINDS: readonly string[] = ["video.import"];
const IMPORT_CONCURRENCY = 4;
/** Copying may take minutes, and hold up nobody: one at a time, beside everything else. */
const COPYING_KINDS: readonly string[] = ["video.download"];
const COPYING_CONCURRENCY = 1;

export interface WorkerAppOptions {
  readonly config: Config;
  readonly log: Logger;
  /** Where programs are looked for, as PATH is written. */
  readonly searchPath: string;
  /** Live encoders of this machine cannot keep up: no further encode is begun. */
  readonly isLiveBehind: () => boolean;
  readonly onJobEnd: OnJobEnd;
  readonly clock?: Clock;
}

/** A worker that takes jobs. */
export interface WorkerApp {
  /** Takes no more, gives back what it has in hand, and lets go of everything. */
  close(): Promise<void>;
}

/** Starts a worker. Throws DomainError when database, queue, store or ffmpeg cannot be had, and leaves nothing behind then. */
export async function startWorker(options: WorkerAppOptions): Promise<WorkerApp> {
  const { config, log, searchPath, isLiveBehind, onJobEnd, clock = systemClock } = options;
  if (config.storage.backend === "memory") {
    throw new DomainError("INVALID_CONFIG", "storage.backend = memory: no other process can work on what a server has");
  }
  await using building = new AsyncDisposableStack();
  const { dataDir } = config.server;
  // ffmpeg runs in it, also where database and store are elsewhere.
  await makeDataDir(dataDir);
  const { url, maxConnections: maxConnectionCount } = config.database;
  const database = await Database.open({ dataDir, url, maxConnectionCount, log });
  building.defer(() => database.close());
  const catalog = await Catalog.on(database, clock);
  // What a worker reads it reads once: a cache would only hold the originals of small videos.
  const { store } = await openObjectStore({
    config: { ...config, cache: { ...config.cache, enabled: false } },
    clock,
    log,
  });
  building.defer(() => store.close());
  const ffmpeg = await askFfmpeg(config, searchPath);
  const jobs = await openJobQueue({ config, database, clock, log });
  building.defer(() => jobs.close());

  // Who was started further back stays there; nobody but root may step forward.
  if (getPriority() < WORKER_NICENESS) setPriority(WORKER_NICENESS);
  const concurrency = encodeConcurrency(config);
  const program = { path: ffmpeg.path, environment: {}, workDir: dataDir, niceness: STORED_ENCODE_NICENESS };
  const coreCount = Math.max(1, Math.ceil(availableParallelism() / concurrency));
  const ffprobePath = await findFfprobe(ffmpeg.path, searchPath);
  const { videos } = catalog;
  const library = openLibrary({ config, videos, jobs, store, program, ffprobePath, coreCount, clock, log });
  const imports = openImports({ config, library, videos, jobs, store, clock, log });
  const handlers = tellEnds({ ...library.handlers, ...imports.handlers }, onJobEnd, clock);
  takeJobs({ jobs, handlers, concurrency, isLiveBehind });
  log.info({ kinds: Object.keys(handlers), concurrency }, "worker started");

  const running = building.move();
  return {
    async close() {
      await running.disposeAsync();
      log.info({}, "worker closed");
    },
  };
}

/** Encodes at once, as it is configured. */
export function encodeConcurrency({ jobs }: Config): number {
  return jobs.concurrency || Math.max(1, availableParallelism() - 1);
}

interface TakeJobsOptions {
  readonly jobs: JobQueue;
  readonly handlers: Readonly<Record<string, JobHandler>>;
  readonly concurrency: number;
  readonly isLiveBehind: () => boolean;
}

/** Takes jobs of all kinds, here, until the queue is closed. */
export function takeJobs({ jobs, handlers, concurrency, isLiveBehind }: TakeJobsOptions): void {
  const isLight = (kind: string) => LIGHT_KINDS.includes(kind);
  const isSound = (kind: string) => SOUND_KINDS.includes(kind);
  const isCopying = (kind: string) => COPYING_KINDS.includes(kind);
  const isImport = (kind: string) => IMPORT_KINDS.includes(kind);
  const accepts = () => !isLiveBehind();
  jobs.work({ handlers: only(handlers, isLight), concurrency: LIGHT_CONCURRENCY });
  jobs.work({ handlers: only(handlers, isCopying), concurrency: COPYING_CONCURRENCY });
  jobs.work({ handlers: only(handlers, isImport), concurrency: IMPORT_CONCURRENCY });
  jobs.work({ handlers: only(handlers, isSound), concurrency: SOUND_CONCURRENCY, accepts });
  jobs.work({
    handlers: only(handlers, (kind) => !isLight(kind) && !isSound(kind) && !isCopying(kind)),
    concurrency,
    accepts,
  });
}

function only(
  handlers: Readonly<Record<string, JobHandler>>,
  accept: (kind: string) => boolean,
): Readonly<Record<string, JobHandler>> {
  return Object.fromEntries(Object.entries(handlers).filter(([kind]) => accept(kind)));
}
