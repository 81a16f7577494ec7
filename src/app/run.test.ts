import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { newRun } from "../../test/support/new-run.ts";
import { AAC_48K, audioUnits, H264_360P, interleave, videoUnits } from "../../test/support/source-units.ts";
import { ManualClock } from "../core/clock.ts";
import type { Publication, SourceUnit } from "../live/publication.ts";
import { ticksToMs } from "../media/timebase.ts";
import type { Rendition } from "../packaging/presentation.ts";
import type { Run } from "./run.ts";

const REQUEST = { protocol: "rtmp", streamKey: "", remoteAddress: "", encoder: undefined } as const;
/** What may pass between two changes of a playlist: a gap as long as a segment, or that and a part of what follows it. */
const SEGMENT_MS = 2000;
const PART_MS = 520;
const FRAME_MS = 40;

/** A run in which time goes on, and how long its first playlist stood still at most. */
class Stage {
  readonly clock = new ManualClock();
  readonly run: Run = newRun(this.clock, { reconnectWindowMs: 60_000 });
  longestStandMs = 0;
  #advancedAtMs: number | undefined;

  constructor() {
    this.run.packager.events.on("advance", () => {
      this.#measure();
      this.#advancedAtMs = this.clock.monotonicMs();
    });
  }

  get renditions(): readonly Rendition[] {
    return this.run.packager.renditions;
  }

  /** An encoder whose media come when they are due, `leadMs` before their time at most. */
  publish(units: readonly SourceUnit[], { announced = true, leadMs = 0 } = {}): Publication {
    const publication = this.run.broadcast.claim(REQUEST);
    const hasAudio = units.some(({ kind }) => kind === "audio");
    if (announced) publication.expect({ video: true, audio: hasAudio });
    publication.setFormat(H264_360P);
    if (hasAudio) publication.setFormat(AAC_48K);
    const startMs = this.clock.monotonicMs();
    for (const unit of units) {
      this.wait(Math.max(0, startMs + unit.dts - leadMs - this.clock.monotonicMs()));
      publication.write(unit);
    }
    return publication;
  }

  wait(forMs: number): void {
    this.clock.advance(forMs);
    this.#measure();
  }

  #measure(): void {
    if (this.#advancedAtMs === undefined) return;
    this.longestStandMs = Math.max(this.longestStandMs, this.clock.monotonicMs() - this.#advancedAtMs);
  }
}

function pictures(untilMs: number): SourceUnit[] {
  return videoUnits({ fromMs: 0, untilMs, framesPerSecond: 25, gopFrames: 25 });
}

/** Segments follow each other in time: none begins before the one before it has ended. */
function assertInOrder({ id, segments, timescale }: Rendition): void {
  let endMs = 0;
  for (const { msn, start, duration } of segments) {
    assert.ok(ticksToMs(start, timescale) >= endMs - 1, `${id} ${msn} begins before ${endMs} ms`);
    endMs = ticksToMs(start + duration, timescale);
  }
}

describe("Run while its encoder is away", () => {
  for (const leadMs of [0, 10, 300, 900]) {
    it(`lets the playlist go on segment by segment, when media came ${leadMs} ms early`, () => {
      for (let awayMs = 0; awayMs <= 9000; awayMs += 300) {
        const stage = new Stage();
        stage.publish(pictures(8000), { leadMs }).close("gone");
        stage.wait(awayMs);
        stage.publish(pictures(4000), { leadMs });
        const limitMs = SEGMENT_MS + PART_MS + FRAME_MS + leadMs;
        assert.ok(stage.longestStandMs <= limitMs, `away for ${awayMs} ms: stood for ${stage.longestStandMs} ms`);
      }
    });
  }

  it("gives no time twice, when the returned encoder's media are waited for", () => {
    for (let awayMs = 0; awayMs <= 5000; awayMs += 150) {
      const stage = new Stage();
      stage.publish(interleave(pictures(8000), audioUnits({ fromMs: 0, untilMs: 8000 }))).close("gone");
      stage.wait(awayMs);
      stage.publish(pictures(8000), { announced: false });
      for (const rendition of stage.renditions) assertInOrder(rendition);
    }
  });
});
