import { getPriority, setPriority } from "node:os";
import { Catalog } from "../catalog/catalog.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import { DomainError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { Database } from "../database/database.ts";
import type { JobHandler, JobQueue } from "../jobs/job-queue.ts";
import type { EncodeCores } from "../library/encode-cores.ts";
import { askFfmpeg, findFfprobe } from "./ask-ffmpeg.ts";
import { makeDataDir } from "./data-dir.ts";
import { encodeCores } from "./encode-cores.ts";
import { type OnJobEnd, tellEnds } from "./job-ends.ts";
import { JOB_LANES, LANES } from "./job-lanes.ts";
import { openJobQueue } from "./job-queue.ts";
import { openObjectStore } from "./object-store.ts";
import { openImports } from "./open-imports.ts";
import { openLibrary } from "./open-library.ts";
import type { Config } from "./settings.ts";

/** The worker itself, which packages what ffmpeg makes, steps back behind the server. */
const WORKER_NICENESS = 5;

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
  const program = { path: ffmpeg.path, environment: {}, workDir: dataDir };
  const ffprobePath = await findFfprobe(ffmpeg.path, searchPath);
  const { videos } = catalog;
  const library = openLibrary({ config, videos, jobs, store, program, ffprobePath, clock, log });
  const imports = openImports({ config, library, videos, jobs, store, clock, log });
  const handlers = tellEnds({ ...library.handlers, ...imports.handlers }, onJobEnd, clock);
  const cores = encodeCores(config);
  takeJobs({ jobs, handlers, cores, isLiveBehind });
  log.info({ kinds: Object.keys(handlers), concurrency: cores.encodesAtOnce }, "worker started");

  const running = building.move();
  return {
    async close() {
      await running.disposeAsync();
      log.info({}, "worker closed");
    },
  };
}

interface TakeJobsOptions {
  readonly jobs: JobQueue;
  readonly handlers: Readonly<Record<string, JobHandler>>;
  readonly cores: EncodeCores;
  readonly isLiveBehind: () => boolean;
}

/** Takes jobs of all lanes, here, until the queue is closed. */
export function takeJobs({ jobs, handlers, cores, isLiveBehind }: TakeJobsOptions): void {
  const accepts = () => !isLiveBehind();
  for (const [name, lane] of Object.entries(LANES)) {
    const own = Object.entries(handlers).filter(([kind]) => JOB_LANES.of(kind) === name);
    if (own.length === 0) continue;
    jobs.work({
      handlers: Object.fromEntries(own),
      concurrency: lane.concurrency(cores),
      ...(lane.standsBackForLive && { accepts }),
    });
  }
}
