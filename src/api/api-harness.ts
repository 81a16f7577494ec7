import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { AdminAccess } from "../access/admin.ts";
import { BruteForceGuard } from "../access/brute-force.ts";
import { Catalog } from "../catalog/catalog.ts";
import { ManualClock } from "../core/clock.ts";
import { DomainError } from "../core/errors.ts";
import type { StreamId } from "../core/ids.ts";
import { silentLogger } from "../core/logger.ts";
import { Database } from "../database/database.ts";
import { HttpServer } from "../http/server.ts";
import { EmbeddedJobQueue } from "../jobs/embedded/embedded-job-queue.ts";
import { Library } from "../library/library.ts";
import { MemoryObjectStore } from "../storage/memory/memory-object-store.ts";
import { AddressGuard } from "../upload/public-address.ts";
import { ResumableUploads } from "../upload/resumable-uploads.ts";
import { UploadReceiver } from "../upload/upload-receiver.ts";
import { UploadSlots } from "../upload/upload-slots.ts";
import { VideoImports } from "../upload/video-imports.ts";
import { registerApi } from "./api.ts";
import type { ApiDependencies, ReadinessCheck } from "./dependencies.ts";
import type { LiveStatus, RunningStreams } from "./running-streams.ts";

export const ADMIN_TOKEN = "hw_the-right-admin-token";

/** Broadcasts as a test wants them to be: media cannot run inside a unit test of the API. */
class ScriptedBroadcasts implements RunningStreams {
  readonly live = new Map<string, LiveStatus>();
  readonly stills = new Map<string, Uint8Array>();
  readonly stopped: { streamId: StreamId; reason: string }[] = [];
  canStartPattern = true;

  status(streamId: StreamId): LiveStatus | undefined {
    return this.live.get(streamId);
  }

  ids(): Iterable<StreamId> {
    return [...this.live.keys()] as StreamId[];
  }

  async stop(streamId: StreamId, reason: string): Promise<void> {
    if (this.live.delete(streamId)) this.stopped.push({ streamId, reason });
  }

  async startPattern(streamId: StreamId): Promise<void> {
    if (!this.canStartPattern) throw new DomainError("FFMPEG_MISSING", "ffmpeg was not found");
    this.live.set(streamId, { ...IDLE_STATUS, state: "starting" });
  }

  async still(streamId: StreamId): Promise<Uint8Array | undefined> {
    return this.stills.get(streamId);
  }
}

export const IDLE_STATUS: LiveStatus = {
  state: "live",
  startedAtMs: Date.UTC(2026, 0, 1),
  ingest: undefined,
  bitrateBps: undefined,
  tracks: [],
  renditions: [],
  viewerCount: 0,
  latencyMs: undefined,
  health: [],
};

/** A server with the API on it, and the hands on everything behind it. */
export async function startApi(t: TestContext, changes: Partial<ApiDependencies> & { publicUrl?: string } = {}) {
  const dataDir = await mkdtemp(join(tmpdir(), "headwater-api-"));
  const clock = new ManualClock();
  const database = await Database.open({ dataDir, log: silentLogger });
  const catalog = await Catalog.on(database, clock);
  const jobs = await EmbeddedJobQueue.open({
    database,
    leaseMs: 15_000,
    retention: { ageMs: 3_600_000, count: 100 },
    log: silentLogger,
    clock,
  });
  const store = new MemoryObjectStore({ clock });
  const stored = libraryOver({ catalog, jobs, store, clock });
  const limits = { maxSizeBytes: 1_000_000, idleTimeoutMs: 60_000, timeLimitMs: 3_600_000 };
  const receiver = new UploadReceiver({ store, intake: stored, limits, log: silentLogger });
  const resumable = await ResumableUploads.open({
    ...{
      directory: join(dataDir, "uploads"),
      store,

      intake: stored,
      limits,
      clock,
      log: silentLogger,
    },
    sizeOfTaken: async (videoId) => (await catalog.videos.get(videoId))?.source?.sizeBytes,
    ...{ maxCount: 2, lifetimeMs: 3_600_000 },
  });
  const imports = new VideoImports({
    ...{ jobs, store, intake: stored, guard: new AddressGuard([]), limits, clock, log: silentLogger },
    isTaken: async () => false,
  });
  const running = new ScriptedBroadcasts();
  const checks: ReadinessCheck[] = [{ name: "ffmpeg", isReady: true, detail: "5.1" }];
  const { publicUrl } = changes;
  const secrets = { adminToken: ADMIN_TOKEN, cookieSecret: Buffer.alloc(32, 1) };
  const admin = new AdminAccess({ ...secrets, publicUrl, clock, guard: new BruteForceGuard({ clock }) });
  const http = new HttpServer({ host: "127.0.0.1", port: 0, log: silentLogger, fast: () => false });
  await registerApi(http.app, {
    streams: catalog.streams,
    running,
    videos: catalog.videos,
    stored,
    uploads: { receiver, resumable, imports, slots: new UploadSlots(2) },
    jobs,
    addressOf: ({ socket }) => socket.remoteAddress ?? "",
    hasOpenOperations: true,
    admin,
    clock,
    log: silentLogger,
    server: { version: "1.2.3", publicUrl, rtmpPort: () => 1936, encoder: "libx264", startedAtMs: clock.nowMs() },
    defaults: {
      lowLatency: true,
      transcode: true,
      record: false,
      partDurationMs: 500,
      segmentDurationMs: 2000,
      windowSegmentCount: 10,
      plainSegmentDurationMs: 6000,
      plainWindowSegmentCount: 5,
      reconnectWindowMs: 15_000,
    },
    staleThresholdMs: 600_000,
    readiness: { check: async () => checks },
    metrics: { contentType: "text/plain; version=0.0.4; charset=utf-8", metrics: async () => "headwater_up 1\n" },
    ...changes,
  });
  const { port } = await http.start();
  t.after(async () => {
    await http.close();
    await resumable.close();
    await jobs.close();
    await database.close();
    await rm(dataDir, { recursive: true, force: true });
  });
  const origin = `http://127.0.0.1:${port}`;
  return { origin, port, http, catalog, jobs, store, stored, running, checks, admin, clock, call: callerOf(origin) };
}

/** Takes videos in and lets them go; nobody takes its jobs, so nothing is made here. */
function libraryOver(parts: {
  readonly catalog: Catalog;
  readonly jobs: EmbeddedJobQueue;
  readonly store: MemoryObjectStore;
  readonly clock: ManualClock;
}): Library {
  const { catalog, jobs, store, clock } = parts;
  const program = { path: "/usr/bin/ffmpeg", environment: {}, workDir: tmpdir(), niceness: 0 };
  const codecs = { videoCodecs: ["h264"], audioCodecs: ["aac"] };
  return new Library({
    videos: catalog.videos,
    jobs,
    tools: { program, store, clock, logger: silentLogger, coreCount: 1, preset: "veryfast" },
    cores: { coreCount: 1, encodesAtOnce: 1 },
    ffprobe: { program: { ...program, path: "/usr/bin/ffprobe" }, clock },
    limits: { maxDurationMs: 60_000, maxPictureSide: 4096, ...codecs },
    planning: {
      profiles: ["360p", "240p"],
      isAskedFor: false,
      copiesVideo: true,
      copiesAudio: true,
      audioCodecs: codecs.audioCodecs,
      segmentTargetMs: 4_000,
      chunkTargetMs: 20_000,
    },
    artifacts: [],
    clock,
    log: silentLogger,
    cleanUpIntervalMs: 3_600_000,
    failedRetentionMs: 3_600_000,
  });
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed JSON; undefined without a body, the text when it is no JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of every shape and assert what they find.
  readonly body: any;
}

/** Requests as an admin, unless `headers` say otherwise. */
function callerOf(origin: string) {
  return async (method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer> => {
    const answer = await fetch(origin + path, {
      method,
      redirect: "error",
      headers: {
        ...(headers ?? { authorization: `Bearer ${ADMIN_TOKEN}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    const isJson = answer.headers.get("content-type")?.includes("json") ?? false;
    return { status: answer.status, headers: answer.headers, body: isJson ? JSON.parse(text) : text || undefined };
  };
}
