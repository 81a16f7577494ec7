import type { Unit } from "../live/unit.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Part } from "../packaging/presentation.ts";
import type { Run } from "./run.ts";

/** Counts what one broadcast takes in, encodes and makes. */
export function countRun(run: Run, { ingest, transcode, packaging }: Metrics): void {
  const byKind = {
    video: countersOf("video", ingest, packaging),
    audio: countersOf("audio", ingest, packaging),
  };
  run.broadcast.addReader({
    onPeriod() {},
    onUnit(unit: Unit) {
      const counters = byKind[unit.track.format.kind];
      counters.units.inc();
      counters.bytes.inc(unit.data.byteLength);
    },
    onInterrupted: () => ingest.interruptions.inc(),
    onEnd() {},
  });
  run.broadcast.events.on("jump", () => ingest.timestampJumps.inc());
  const counted = new WeakSet<Part>();
  run.packager.events.on("advance", (rendition) => {
    const counters = byKind[rendition.kind];
    const newest = rendition.segments.at(-1);
    if (!newest || newest.isGap) return;
    if (newest.isComplete) counters.segments.inc();
    // A segment may end with the part that was told of before.
    const part = newest.parts.at(-1);
    if (!part || counted.has(part)) return;
    counted.add(part);
    counters.parts.inc();
    counters.madeBytes.inc(part.bytes.byteLength);
  });
  run.encoderEvents?.on("start", () => transcode.starts.inc());
  run.encoderEvents?.on("crash", () => transcode.crashes.inc());
  run.encoderEvents?.on("shed", () => transcode.shedRungs.inc());
}

/** Label lookups are too dear for every frame. */
function countersOf(kind: "video" | "audio", ingest: Metrics["ingest"], packaging: Metrics["packaging"]) {
  return {
    units: ingest.units.labels(kind),
    bytes: ingest.bytes.labels(kind),
    parts: packaging.parts.labels(kind),
    segments: packaging.segments.labels(kind),
    madeBytes: packaging.bytes.labels(kind),
  };
}
