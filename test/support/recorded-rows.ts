import type { Row } from "../../src/library/recording/row.ts";
import type { Period } from "../../src/live/unit.ts";
import type { MediaFormat } from "../../src/media/format.ts";
import { msToTicks, PRESENTATION_START_MS } from "../../src/media/timebase.ts";
import type { InitSegment, Part, Segment } from "../../src/packaging/presentation.ts";
import { AAC, H264 } from "./presentation.ts";

export const WALL_ZERO_MS = Date.UTC(2026, 0, 1);

export function livePeriod(index = 0, change: Partial<Period> = {}): Period {
  const startMs = PRESENTATION_START_MS;
  return { index, video: undefined, audio: undefined, startMs, wallZeroMs: WALL_ZERO_MS, ...change };
}

export interface CellScript {
  readonly id: string;
  readonly format?: MediaFormat;
  /** Other bytes are another header. */
  readonly header?: string;
  readonly durationMs?: number;
  readonly bytes?: string;
}

export interface RowScript {
  readonly msn: number;
  readonly period: Period;
  /** Since the beginning of the period. */
  readonly atMs: number;
  readonly durationMs?: number;
  readonly cells: readonly CellScript[];
}

/** A row of segments of a second, by whatever its script says of them. */
export function row({ msn, period, atMs, durationMs = 1_000, cells }: RowScript): Row {
  return {
    msn,
    cells: new Map(
      cells.map((cell) => {
        const { kind } = cell.format ?? H264;
        const isSource = cell.id.endsWith("source");
        const rendition = { id: cell.id, kind, origin: isSource ? ("source" as const) : ("rung" as const) };
        const segment = segmentOf(cell, { msn, period, atMs: period.startMs + atMs, durationMs });
        return [cell.id, { rendition: { ...rendition, audioRenditionId: undefined }, segment }];
      }),
    ),
  };
}

export const SOURCE: CellScript = { id: "source" };
export const SOUND: CellScript = { id: "audio_source", format: AAC };

interface Place {
  readonly msn: number;
  readonly period: Period;
  readonly atMs: number;
  readonly durationMs: number;
}

export function segmentOf(cell: CellScript, { msn, period, atMs, durationMs }: Place): Segment {
  const { id, format = H264, header = `<header of ${id}>`, bytes = `${id} ${msn}` } = cell;
  const timescale = format.kind === "audio" ? format.sampleRateHz : 90_000;
  const init: InitSegment = { name: `e-${msn}.init.mp4`, format, timescale, bytes: Buffer.from(header) };
  const start = msToTicks(atMs, timescale);
  const duration = msToTicks(cell.durationMs ?? durationMs, timescale);
  const keyFrame = format.kind === "video" ? { offset: 0, length: 4 } : undefined;
  const part: Part = {
    ...{ name: `e-${msn}.0.m4s`, index: 0, start, duration, isIndependent: true, isGap: false, keyFrame },
    bytes: Buffer.from(bytes),
  };
  return {
    ...{ name: `e-${msn}.m4s`, msn, iframeMsn: msn, period, init, start, duration, parts: [part] },
    ...{ byteLength: part.bytes.length, frameCount: 25, isComplete: true, isIndependent: true, isGap: false },
    ...{ isDiscontinuity: false, arrivedAtMs: 0 },
  };
}
