import type { TestContext } from "node:test";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import { DomainError } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { LiveDelivery } from "../../src/delivery/live-delivery.ts";
import { createHttpServer } from "../../src/http/server.ts";
import { Intake } from "../../src/live/intake.ts";
import type { SourceUnit } from "../../src/live/publication.ts";
import { Packager } from "../../src/packaging/packager.ts";
import type { PackagingOptions } from "../../src/packaging/presentation.ts";
import { Counts } from "./served-presentation.ts";
import { AAC_48K, audioUnits, H264_360P, interleave, videoUnits } from "./source-units.ts";

/** Media that is there before the first request, so that a run need not wait for a full window. */
const PAST_MS = 14_000;
const FUTURE_MS = 60_000;
const PACE_MS = 10;

export interface PacedOrigin {
  readonly masterUrl: string;
  /** The publisher goes, and is back after `awayMs` on new stamps. */
  reconnect(awayMs: number): void;
  end(): void;
}

/** Packager and delivery as they run, fed with made-up frames in real time; one stream, `cam`. */
export async function startPacedOrigin(
  t: TestContext,
  packaging: Partial<PackagingOptions> = {},
): Promise<PacedOrigin> {
  const startMs = systemClock.nowMs() - PAST_MS;
  const feed = new Feed(startMs, {
    isLowLatency: true,
    segmentTargetMs: 1000,
    partTargetMs: 200,
    windowSegmentCount: 10,
    ...packaging,
  });
  const delivery = new LiveDelivery({
    presentations: {
      find: (id) => (id === "cam" ? feed.packager : undefined),
      explainAbsence: () => new DomainError("STREAM_NOT_FOUND"),
    },
    clock: systemClock,
    log: silentLogger,
    metrics: new Counts(),
  });
  const server = createHttpServer({
    host: "127.0.0.1",
    port: 0,
    log: silentLogger,
    fast: (req, res) => delivery.handle(req, res),
    limits: { closeGraceMs: 1 },
  });
  const { port } = await server.start();
  const timer = setInterval(() => feed.writeUntil(systemClock.nowMs() - startMs), PACE_MS);
  t.after(() => {
    clearInterval(timer);
    return server.close();
  });
  return {
    masterUrl: `http://127.0.0.1:${port}/streams/cam/master.m3u8`,
    reconnect: (awayMs) => feed.pauseFor(awayMs),
    end: () => feed.end(),
  };
}

/** Frames of a publisher whose clock is exact: each arrives when its stamp says. */
class Feed {
  readonly packager: Packager;
  readonly #intake: Intake;
  readonly #units: SourceUnit[];
  #next = 0;
  #atMs = 0;
  #pausedUntilMs = 0;
  #isInterrupted = false;

  constructor(startMs: number, packaging: PackagingOptions) {
    this.packager = new Packager({ epoch: "e1", packaging, firstMsn: 7, firstDiscontinuitySequence: 0 });
    const clock: Clock = { ...systemClock, nowMs: () => startMs + this.#atMs };
    this.#intake = new Intake({ clock, sink: this.packager, sampleCount: () => 1024 });
    const stamps = { fromMs: 0, untilMs: PAST_MS + FUTURE_MS };
    this.#units = interleave(videoUnits({ ...stamps, framesPerSecond: 25, gopFrames: 25 }), audioUnits(stamps));
    this.#announce();
    this.writeUntil(PAST_MS);
  }

  writeUntil(atMs: number): void {
    for (let unit = this.#units[this.#next]; unit && unit.dts <= atMs; unit = this.#units[this.#next]) {
      this.#next++;
      this.#write(unit);
    }
  }

  pauseFor(awayMs: number): void {
    this.#intake.interrupt();
    this.#isInterrupted = true;
    this.#pausedUntilMs = this.#atMs + awayMs;
  }

  end(): void {
    this.#next = this.#units.length;
    this.#intake.end();
    this.packager.finish();
  }

  #write(unit: SourceUnit): void {
    this.#atMs = unit.dts;
    if (unit.dts < this.#pausedUntilMs) return;
    if (this.#isInterrupted) {
      if (!unit.isKey || unit.kind === "audio") return;
      this.#isInterrupted = false;
      this.#announce();
    }
    this.#intake.write(unit);
  }

  #announce(): void {
    this.#intake.expect({ video: true, audio: true });
    this.#intake.setFormat(H264_360P);
    this.#intake.setFormat(AAC_48K);
  }
}
