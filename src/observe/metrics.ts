import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { type Clock, systemClock } from "../core/clock.ts";
import { DeliveryCounts } from "./delivery-counts.ts";

export interface MetricsOptions {
  readonly version: string;
  readonly clock?: Clock;
}

/** What is read at each scrape from who knows it. */
const FOLLOWED = {
  activeStreams: ["streaming_active_streams", "Streams on air"],
  ffmpegProcesses: ["streaming_ffmpeg_processes", "FFmpeg processes that run"],
  viewers: ["headwater_delivery_viewers", "Viewers that asked for media of a stream lately"],
  heldRequests: ["headwater_delivery_held_requests", "Requests that wait for media"],
  recordings: ["headwater_recording_active", "Broadcasts that are recorded, or whose recording is being finished"],
  recordingQueueBytes: ["headwater_recording_queue_bytes", "Media that wait for the store"],
  rtmpPublishers: ["headwater_ingest_rtmp_publishers", "RTMP connections that publish"],
  rtmpPending: ["headwater_ingest_rtmp_pending", "RTMP connections that have not shown a right key"],
  waitingJobs: ["headwater_jobs_waiting", "Jobs that wait for a worker, or for their next attempt"],
  activeJobs: ["streaming_service_active_transcoding_jobs", "Jobs that workers have in hand"],
} as const;

/** Jobs of videos: from a deletion to a whole track of sound. */
const JOB_SECONDS = [0.5, 1, 2, 5, 10, 30, 60, 300, 1800];
/** API answers: from a lookup to an encoder that has to be asked. */
const HTTP_SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10];

/**
 * Everything that is counted, by room. Names that a document of the field fixed (`streaming_...`) stay as they are, all
 * others start with `headwater_`. No label ever names a stream, an address or a connection.
 */
export class Metrics {
  /** What /metrics renders. */
  readonly registry = new Registry();
  readonly #registers = [this.registry];

  readonly ingest = {
    /** `outcome`: `granted` or an error code. */
    publishes: this.#counter("headwater_ingest_publishes_total", "Attempts to publish", ["protocol", "outcome"]),
    units: this.#counter("headwater_ingest_units_total", "Frames taken in", ["kind"]),
    bytes: this.#counter("headwater_ingest_bytes_total", "Bytes of frames taken in", ["kind"]),
    interruptions: this.#counter("headwater_ingest_interruptions_total", "Publishers that went before their end"),
    timestampJumps: this.#counter("headwater_ingest_timestamp_jumps_total", "Jumps in the time of publishers"),
  };

  readonly transcode = {
    starts: this.#counter("headwater_transcode_starts_total", "Encoders started"),
    crashes: this.#counter("headwater_transcode_crashes_total", "Encoders that ended by themselves"),
    shedRungs: this.#counter("headwater_transcode_shed_rungs_total", "Rungs given up on a machine that cannot keep up"),
  };

  readonly packaging = {
    parts: this.#counter("headwater_packaging_parts_total", "Parts made", ["kind"]),
    segments: this.#counter("headwater_packaging_segments_total", "Segments completed", ["kind"]),
    bytes: this.#counter("headwater_packaging_bytes_total", "Bytes of parts made", ["kind"]),
  };

  readonly videos = {
    uploads: this.#counter("streaming_service_videos_uploaded_total", "Videos taken in"),
    jobSeconds: new Histogram({
      name: "streaming_service_transcoding_duration_seconds",
      help: "Time that attempts at jobs took here",
      labelNames: ["kind", "outcome"],
      buckets: JOB_SECONDS,
      registers: this.#registers,
    }),
  };

  readonly recording = {
    bytes: this.#counter("headwater_recording_bytes_total", "Bytes of broadcasts that were stored"),
    lostSeconds: this.#counter("headwater_recording_lost_seconds_total", "Media that could not be stored"),
  };

  readonly delivery = new DeliveryCounts(this.#registers);

  readonly http = {
    requests: this.#counter("streaming_service_http_requests_total", "HTTP requests to the API", [
      "method",
      "route",
      "status",
    ]),
    seconds: new Histogram({
      name: "streaming_service_http_request_duration_seconds",
      help: "Time the API took to answer",
      labelNames: ["method", "route"],
      buckets: HTTP_SECONDS,
      registers: this.#registers,
    }),
  };

  constructor({ version, clock = systemClock }: MetricsOptions) {
    this.#gauge(
      "streaming_cpu_percent",
      "Processor time used since the last scrape; 100 is one core",
      cpuPercent(clock),
    );
    this.#gauge("streaming_memory_bytes", "Memory of this process", () => process.memoryUsage.rss());
    const labelNames = ["version", "node"];
    const info = { name: "headwater_build_info", help: "What runs", labelNames, registers: this.#registers };
    new Gauge(info).set({ version, node: process.versions.node }, 1);
    collectDefaultMetrics({ register: this.registry, prefix: "headwater_" });
  }

  /** Asks these at every scrape from now on; each can be followed once. What cannot be told now is no number. */
  follow(reads: { readonly [Name in keyof typeof FOLLOWED]?: () => number | Promise<number> }): void {
    for (const [key, read] of Object.entries(reads)) {
      // Entries of an object whose keys are those of the table.
      const [name, help] = FOLLOWED[key as keyof typeof FOLLOWED];
      this.#gauge(name, help, read);
    }
  }

  #counter<Label extends string = never>(
    name: string,
    help: string,
    labelNames: readonly Label[] = [],
  ): Counter<Label> {
    return new Counter({ name, help, labelNames: [...labelNames], registers: this.#registers });
  }

  #gauge(name: string, help: string, read: () => number | Promise<number>): void {
    new Gauge({
      name,
      help,
      registers: this.#registers,
      async collect() {
        // One that is away must not hide all others.
        this.set(await Promise.resolve(read()).catch(() => Number.NaN));
      },
    });
  }
}

/** Reads the share of one core that was used since it was read before. */
function cpuPercent(clock: Clock): () => number {
  let beforeMs = clock.monotonicMs();
  let before = process.cpuUsage();
  return () => {
    const nowMs = clock.monotonicMs();
    const { user, system } = process.cpuUsage(before);
    const percent = nowMs > beforeMs ? (user + system) / 10 / (nowMs - beforeMs) : 0;
    beforeMs = nowMs;
    before = process.cpuUsage();
    return percent;
  };
}
