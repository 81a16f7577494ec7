import type { ChildProcess } from "node:child_process";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { AdminAccess } from "../access/admin.ts";
import { BruteForceGuard } from "../access/brute-force.ts";
import { loadSecrets } from "../access/secrets.ts";
import { registerApi } from "../api/api.ts";
import { HeartbeatWatch } from "../api/heartbeat-watch.ts";
import type { RedisCache } from "../cache/redis-cache.ts";
import { Catalog } from "../catalog/catalog.ts";
import type { StreamRepository } from "../catalog/stream-repository.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import { parseStreamId, type StreamId } from "../core/ids.ts";
import type { Logger } from "../core/logger.ts";
import { Database } from "../database/database.ts";
import { LiveDelivery } from "../delivery/live-delivery.ts";
import { StoredDelivery } from "../delivery/stored-delivery.ts";
import { FfmpegProcess, type FfmpegProgram } from "../encode/ffmpeg/process.ts";
import { Stills } from "../encode/stills.ts";
import { restrictOrigins } from "../http/cors.ts";
import type { HttpRequest, HttpResponse } from "../http/http-exchange.ts";
import { createHttpServer } from "../http/server.ts";
import { TrustedProxies } from "../http/trusted-proxies.ts";
import { PatternSource, type StartPatternEncoder } from "../ingest/pattern/pattern-source.ts";
import type { RtmpLimits } from "../ingest/rtmp/limits.ts";
import { RtmpServer } from "../ingest/rtmp/server.ts";
import type { JobQueue } from "../jobs/job-queue.ts";
import { Recordings } from "../library/recording/recordings.ts";
import { VideoReader } from "../library/video-reader.ts";
import { Metrics } from "../observe/metrics.ts";
import { Readiness } from "../observe/readiness.ts";
import { ResumableUploads } from "../upload/resumable-uploads.ts";
import { UploadReceiver } from "../upload/upload-receiver.ts";
import { UploadSlots } from "../upload/upload-slots.ts";
import { PacedIntake } from "../upload/video-intake.ts";
import { askFfmpeg, findFfprobe } from "./ask-ffmpeg.ts";
import { Channels } from "./channels.ts";
import { countRun } from "./count-run.ts";
import { claimDataDir } from "./data-dir.ts";
import { encodeCores } from "./encode-cores.ts";
import { type OnJobEnd, tellEnds } from "./job-ends.ts";
import { openJobQueue } from "./job-queue.ts";
import { openObjectStore } from "./object-store.ts";
import { openImports } from "./open-imports.ts";
import { openLibrary } from "./open-library.ts";
import { recordedBroadcast } from "./recorded-broadcast.ts";
import { runFor } from "./run-for.ts";
import type { Config } from "./settings.ts";
import { newestKeyFrame } from "./still-source.ts";
import { VERSION } from "./version.ts";
import { serveWeb } from "./web.ts";
import { takeJobs } from "./worker.ts";
import { WorkerChild } from "./worker-child.ts";

/** How far encodes step back behind the event loop: what came in must go out before more is made of it. */
const ENCODER_NICENESS = 5;
/**
 * Viewers who were between two requests when the broadcasts ended still ask once more, and are told: within this time of
 * the beginning of the end, so that all is over in ten seconds.
 */
const FAREWELL_LIMIT_MS = 7_500;
/** A ladder is a second behind by its nature; from here on stored video has to wait. */
const LIVE_BEHIND_MS = 2_000;
/** Two up from here, as from where a build of the server lies. */
const WEB_DIRECTORY = join(import.meta.dirname, "..", "..", "web", "dist");

export interface AppOptions {
  readonly config: Config;
  readonly log: Logger;
  /** Where programs are looked for, as PATH is written. */
  readonly searchPath: string;
  /** Starts a worker with this configuration and a channel to this process, at whose end it ends. */
  readonly spawnWorker: () => ChildProcess;
  readonly clock?: Clock;
}

/** A Headwater that runs. */
export interface App {
  readonly httpPort: number;
  readonly rtmpPort: number;
  /** Opens everything, as `Authorization: Bearer`. */
  readonly adminToken: string;
  readonly dataDir: string;
  /** A link to the studio that logs one browser in, once. */
  studioLink(): string;
  /** Where encoders publish, without key. */
  readonly rtmpUrl: string;
  /** Takes no more publishers, ends broadcasts in order, answers what is under way, and lets go of everything. */
  close(): Promise<void>;
}

/**
 * Starts Headwater; read from top to bottom, this is how it is built. Throws DomainError when the directory, a port or
 * ffmpeg cannot be had, and leaves nothing behind then.
 */
export async function startApp(options: AppOptions): Promise<App> {
  const { config, log, searchPath, spawnWorker, clock = systemClock } = options;
  await using building = new AsyncDisposableStack();
  const { dataDir, host, publicUrl } = config.server;
  building.defer(await claimDataDir(dataDir));

  const { url, maxConnections: maxConnectionCount } = config.database;
  const database = await Database.open({ dataDir, url, maxConnectionCount, log });
  building.defer(() => database.close());
  const catalog = await Catalog.on(database, clock);
  const { streams } = catalog;
  const isLiveBehind = () => channels.encoderBehindMs > LIVE_BEHIND_MS;
  const metrics = new Metrics({ version: VERSION, clock });
  const onJobEnd: OnJobEnd = ({ seconds, ...labels }) => metrics.videos.jobSeconds.observe(labels, seconds);
  const worker = new WorkerChild({ spawn: spawnWorker, isLiveBehind, onJobEnd, clock, log });
  // What is in the memory of this process no other one can work on.
  const worksHere = config.jobs.worker && config.storage.backend === "memory";
  const ensureWorker = () => {
    if (config.jobs.worker && !worksHere) worker.start();
  };
  const jobs = await openJobQueue({ config, database, clock, log, onAdd: ensureWorker });
  building.defer(() => jobs.close());
  building.defer(() => worker.close());
  const { store } = await openObjectStore({ config, clock, log });
  building.defer(() => store.close());
  const [secrets, ffmpeg] = await Promise.all([
    loadSecrets({ dataDir, adminToken: config.access.adminToken }),
    askFfmpeg(config, searchPath),
  ]);

  const proxies = new TrustedProxies(config.http.trustedProxies);
  const program: FfmpegProgram = { path: ffmpeg.path, environment: {}, workDir: dataDir, niceness: ENCODER_NICENESS };
  const { videos } = catalog;
  const library = openLibrary({
    config,
    videos,
    jobs,
    store,
    program,
    ffprobePath: await findFfprobe(ffmpeg.path, searchPath),
    onTaken: () => metrics.videos.uploads.inc(),
    clock,
    log,
  });
  const imports = openImports({ config, library, videos, jobs, store, clock, log });
  const intake = new PacedIntake(library, availableParallelism());
  const receiver = new UploadReceiver({ store, intake, limits: config.upload, log });
  building.defer(() => receiver.close());
  const resumable = await ResumableUploads.open({
    directory: resolve(dataDir, config.upload.directory),
    store,
    intake,
    sizeOfTaken: async (videoId) => (await videos.get(videoId))?.source?.sizeBytes,
    limits: config.upload,
    maxCount: config.upload.maxUnfinished,
    lifetimeMs: config.upload.unfinishedLifetimeMs,
    clock,
    log,
  });
  building.defer(() => resumable.close());
  const recordings = new Recordings({
    ...{ videos, streams, store, clock, log },
    advance: (videoId) => library.advance(videoId),
    reconnectWindowMs: config.live.reconnectWindowMs,
    maxBufferBytes: config.recording.maxBufferBytes,
    maxDurationMs: config.recording.maxDurationMs,
    onStored: (byteCount) => metrics.recording.bytes.inc(byteCount),
    onLost: (lostMs) => metrics.recording.lostSeconds.inc(lostMs / 1000),
  });
  const stills = new Stills({ program, clock, logger: log });
  const channels = new Channels({
    streams,
    guard: bruteForceGuard(config, clock),
    createRun: (record, runLog) => {
      const run = runFor(record, runLog, { config, program, coreCount: availableParallelism(), streams, clock });
      countRun(run, metrics);
      if (record.settings.record ?? config.recording.enabled) recordings.follow(recordedBroadcast(record, run));
      return run;
    },
    runPattern: (publication, logger) => {
      const startEncoder: StartPatternEncoder = (start) => new FfmpegProcess({ program, clock, ...start });
      return new PatternSource({ publication, startEncoder, clock, logger }).run(publication.signal);
    },
    takeStill: (streamId, presentation) => stills.get(streamId, () => newestKeyFrame(presentation)),
    onPublish: (protocol, outcome) => metrics.ingest.publishes.inc({ protocol, outcome }),
    viewerCount: (streamId) => delivery.viewers.count(streamId),
    maxConcurrentStreams: config.live.maxConcurrentStreams,
    endedRetentionMs: config.live.endedRetentionMs,
    clock,
    log,
  });
  const delivery = new LiveDelivery({
    presentations: channels,
    clock,
    log,
    metrics: metrics.delivery,
    limits: { maxHeldCount: config.http.maxHeldRequests },
    publicUrl,
    addressOf: (req) => proxies.addressOf(req),
    videoInPlaceOf: async (text) => {
      const streamId = parseStreamId(text);
      return (streamId && (await streams.get(streamId))?.videoId) ?? undefined;
    },
  });
  const shared = await sharedCache(config, clock, log);
  building.defer(() => shared?.close());
  const storedDelivery = new StoredDelivery({
    videos: new VideoReader({
      videos,
      shared: shared && { texts: shared.texts("video", config.cache.metadataTtlMs), log },
    }),
    store,
    clock,
    log,
    metrics: metrics.delivery,
    manifests: shared?.texts("manifest", config.cache.manifestTtlMs),
  });
  const deliver = (req: HttpRequest, res: HttpResponse) => delivery.handle(req, res) || storedDelivery.handle(req, res);
  metrics.follow({
    activeJobs: async () => (await jobs.counts()).active,
    waitingJobs: async () => {
      const { waiting, delayed } = await jobs.counts();
      return waiting + delayed;
    },
    activeStreams: () => channels.counts().liveCount,
    ffmpegProcesses: () => channels.counts().encoderCount,
    viewers: () => channels.counts().viewerCount,
    heldRequests: () => delivery.heldCount,
    recordings: () => recordings.counts.recordingCount,
    recordingQueueBytes: () => recordings.counts.queuedBytes,
    rtmpPublishers: () => rtmp.counts.publisherCount,
    rtmpPending: () => rtmp.counts.pendingCount,
  });

  const { corsAllowedOrigins: allowedOrigins } = config.http;
  const isOpenToAll = allowedOrigins.includes("*");
  const http = createHttpServer({
    host,
    port: config.http.port,
    log,
    // Whoever narrows the origins needs headers that change with each request.
    direct: isOpenToAll ? deliver : undefined,
    fast: (req, res) => {
      if (!isOpenToAll) restrictOrigins(req, res, allowedOrigins);
      return deliver(req, res);
    },
    limits: { maxConnectionCount: config.http.maxConnections, maxBodyBytes: config.http.maxJsonBodyBytes },
  });
  const rtmp = new RtmpServer({ host, port: config.rtmp.port, gate: channels, limits: rtmpLimits(config), log, clock });
  const admin = new AdminAccess({ ...secrets, publicUrl, clock, guard: bruteForceGuard(config, clock) });
  const heartbeats = new HeartbeatWatch({ streams, running: channels, clock, log, ...config.live });
  let rtmpPort = config.rtmp.port;
  http.app.addHook("onResponse", async ({ method, routeOptions: { url: route = "none" } }, reply) => {
    metrics.http.requests.inc({ method, route, status: reply.statusCode });
    metrics.http.seconds.observe({ method, route }, reply.elapsedTime / 1000);
  });
  await registerApi(http.app, {
    streams,
    running: channels,
    videos,
    stored: library,
    uploads: { receiver, resumable, imports, slots: new UploadSlots(config.upload.maxConcurrent) },
    jobs,
    admin,
    clock,
    log,
    server: {
      version: VERSION,
      publicUrl,
      rtmpPort: () => rtmpPort,
      encoder: config.transcode.encoder,
      startedAtMs: clock.nowMs(),
    },
    defaults: {
      ...config.packaging,
      transcode: config.transcode.enabled,
      record: config.recording.enabled,
      reconnectWindowMs: config.live.reconnectWindowMs,
    },
    staleThresholdMs: config.live.staleThresholdMs,
    addressOf: (req) => proxies.addressOf(req),
    hasOpenOperations: config.observe.operations === "open",
    readiness: new Readiness({
      clock,
      checks: [
        { name: "catalog", run: () => catalog.check().then(() => undefined) },
        { name: "jobs", run: () => jobs.check().then(() => undefined) },
        { name: "store", run: () => store.check().then(() => config.storage.backend) },
        { name: "ffmpeg", run: async () => (await askFfmpeg(config, searchPath)).version },
      ],
    }),
    metrics: metrics.registry,
  });
  await serveWeb(http.app, WEB_DIRECTORY);

  await recordings.start();
  // After the broadcasts, whose last segments it stores.
  building.defer(() => recordings.close());
  building.defer(() => http.close());
  const { port: httpPort } = await http.start();
  building.defer(() => rtmp.close());
  rtmpPort = (await rtmp.start()).port;
  building.defer(async () => {
    const endMs = clock.monotonicMs() + FAREWELL_LIMIT_MS;
    const { longestSilenceMs } = channels;
    await channels.close();
    const farewellMs = Math.min(longestSilenceMs, endMs - clock.monotonicMs());
    if (farewellMs > 0) await new Promise<void>((resolve) => void clock.after(farewellMs, resolve));
  });
  const patterns = await patternsOnAir(streams);
  await streams.resetRunning();
  heartbeats.start();
  building.defer(() => heartbeats.close());
  await resumePatterns(channels, patterns, log);
  library.start();
  building.defer(() => library.close());
  const handlers = tellEnds({ ...library.handlers, ...imports.handlers }, onJobEnd, clock);
  if (worksHere) takeJobs({ jobs, handlers, cores: encodeCores(config), isLiveBehind });
  else if (await mayHaveWork(config, jobs)) ensureWorker();

  const running = building.move();
  const httpUrl = publicUrl ?? `http://${reachableHost(host)}:${httpPort}`;
  return {
    httpPort,
    rtmpPort,
    adminToken: secrets.adminToken,
    dataDir,
    studioLink: () => `${httpUrl}/#token=${admin.issueLoginToken()}`,
    rtmpUrl: `rtmp://${new URL(httpUrl).hostname}:${rtmpPort}/live`,
    async close() {
      rtmp.drain();
      recordings.leave();
      const workerClosed = worker.close();
      await Promise.all([workerClosed, running.disposeAsync()]);
      log.info({}, "closed");
    },
  };
}

function bruteForceGuard({ access: { bruteForceAttempts, ...times } }: Config, clock: Clock): BruteForceGuard {
  const { bruteForceWindowMs: windowMs, bruteForceBlockMs: blockMs } = times;
  return new BruteForceGuard({ clock, maxFailures: bruteForceAttempts, windowMs, blockMs });
}

/** Of another version its texts would be others: the version stands in their keys. */
async function sharedCache({ redis: { url } }: Config, clock: Clock, log: Logger): Promise<RedisCache | undefined> {
  if (url === undefined) return undefined;
  // Who has no Redis needs no client of it in memory.
  const { RedisCache } = await import("../cache/redis-cache.ts");
  return new RedisCache({ url, prefix: `headwater:${VERSION}`, clock, log });
}

function rtmpLimits({ rtmp }: Config): Partial<RtmpLimits> {
  return {
    maxPublisherCount: rtmp.maxConnections,
    maxPendingCount: rtmp.maxPendingConnections,
    publishTimeoutMs: rtmp.publishTimeoutMs,
    idleTimeoutMs: rtmp.idleTimeoutMs,
    maxMessageBytes: rtmp.maxMessageBytes,
    maxBitrateKbps: Math.round(rtmp.maxBitrateBps / 1000),
  };
}

/** There are jobs from before, or other machines may add some that nobody here is told of. */
async function mayHaveWork({ database, redis }: Config, jobs: JobQueue): Promise<boolean> {
  if (database.url !== undefined || redis.url !== undefined) return true;
  const { waiting, delayed, active } = await jobs.counts();
  return waiting + delayed + active > 0;
}

/** The test pictures that were on air when the server before this one ended, newest first. */
async function patternsOnAir(streams: Pick<StreamRepository, "list">): Promise<StreamId[]> {
  const ids: StreamId[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await streams.list({ limit: 100, status: "live", ...(cursor !== undefined && { cursor }) });
    ids.push(...page.streams.filter((each) => each.ingestType === "pattern").map((each) => each.streamId));
    if (page.nextCursor === undefined) return ids;
    cursor = page.nextCursor;
  }
}

/** Test pictures that a restart interrupted go on: nobody else would start them again. */
async function resumePatterns(channels: Channels, streamIds: readonly StreamId[], log: Logger): Promise<void> {
  for (const streamId of streamIds) {
    await channels.startPattern(streamId).catch((error: unknown) => {
      log.error({ streamId, err: error }, "the test picture could not be resumed");
    });
  }
}

/** What a browser on this machine can open: nobody connects to "any address". */
function reachableHost(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "localhost";
  return host.includes(":") ? `[${host}]` : host;
}
