import { availableParallelism, setPriority } from "node:os";
import { Catalog } from "../catalog/catalog.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import { Database } from "../database/database.ts";
import type { JobHandler } from "../jobs/job-queue.ts";
import { askFfmpeg, findFfprobe } from "./ask-ffmpeg.ts";
import { openJobQueue } from "./job-queue.ts";
import { openObjectStore } from "./object-store.ts";
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
  "video.delete",
];
const LIGHT_CONCURRENCY = 2;

export interface WorkerAppOptions {
  readonly config: Config;
  readonly log: Logger;
  /** Where programs are looked for, as PATH is written. */
  readonly searchPath: string;
  /** Live encoders of this machine cannot keep up: no further encode is begun. */
  readonly isLiveBehind: () => boolean;
  readonly clock?: Clock;
}

/** A worker that takes jobs. */
export interface WorkerApp {
  /** Takes no more, gives back what it has in hand, and lets go of everything. */
  close(): Promise<void>;
}

/** Starts a worker. Throws DomainError when database, queue, store or ffmpeg cannot be had, and leaves nothing behind then. */
export async function startWorker(options: WorkerAppOptions): Promise<WorkerApp> {
  const { config, log, searchPath, isLiveBehind, clock = systemClock } = options;
  await using building = new AsyncDisposableStack();
  const { dataDir } = config.server;
  const { url, maxConnections: maxConnectionCount } = config.database;
  const database = await Database.open({ dataDir, url, maxConnectionCount, log });
  building.defer(() => database.close());
  const catalog = await Catalog.on(database, clock);
  const { store } = await openObjectStore({ config, clock, log });
  building.defer(() => store.close());
  const ffmpeg = await askFfmpeg(config, searchPath);
  const jobs = await openJobQueue({ config, database, clock, log });
  building.defer(() => jobs.close());

  setPriority(WORKER_NICENESS);
  const cores = availableParallelism();
  const concurrency = config.jobs.concurrency || Math.max(1, cores - 1);
  const program = { path: ffmpeg.path, environment: {}, workDir: dataDir, niceness: STORED_ENCODE_NICENESS };
  const coreCount = Math.max(1, Math.ceil(cores / concurrency));
  const ffprobePath = await findFfprobe(ffmpeg.path, searchPath);
  const { videos } = catalog;
  const library = openLibrary({ config, videos, jobs, store, program, ffprobePath, coreCount, clock, log });
  const { handlers } = library;
  const isLight = (kind: string) => LIGHT_KINDS.includes(kind);
  jobs.work({ handlers: only(handlers, isLight), concurrency: LIGHT_CONCURRENCY });
  jobs.work({
    handlers: only(handlers, (kind) => !isLight(kind)),
    concurrency,
    accepts: () => !isLiveBehind(),
  });
  log.info({ kinds: Object.keys(handlers), concurrency }, "worker started");

  const running = building.move();
  return {
    async close() {
      await running.disposeAsync();
      log.info({}, "worker closed");
    },
  };
}

function only(
  handlers: Readonly<Record<string, JobHandler>>,
  accept: (kind: string) => boolean,
): Readonly<Record<string, JobHandler>> {
  return Object.fromEntries(Object.entries(handlers).filter(([kind]) => accept(kind)));
}
