import { ticksToMs } from "../../media/timebase.ts";
import type { Rendition, Segment } from "../../packaging/presentation.ts";

/** One rendition's segment of a row. */
export interface Cell {
  readonly rendition: Pick<Rendition, "id" | "kind" | "origin" | "audioRenditionId">;
  /** Complete, with media. */
  readonly segment: Segment;
}

/** A stretch of a broadcast between two boundaries that all renditions share: what each of them has of it. */
export interface Row {
  readonly msn: number;
  /** By rendition id; one that has nothing there is missing. */
  readonly cells: ReadonlyMap<string, Cell>;
}

/** What tells the time of a row: the publisher's own video, or its sound where there is none. Undefined when both are missing. */
export function leadOf({ cells }: Row): Cell | undefined {
  const sources = [...cells.values()].filter(({ rendition }) => rendition.origin === "source");
  return sources.find(({ rendition }) => rendition.kind === "video") ?? sources[0];
}

/** Sound ends with a unit of its own; more than this is a hole that players see. */
const MAX_MISSING_MS = 100;

/**
 * Without what a rung, whose encoder ended or came back within the row, has only a part of: a player that is on it would
 * wait for the rest, and dash.js for ever. What is whole is measured by the publisher's medium of that kind.
 */
export function wholeRow(row: Row): Row {
  const cells = new Map([...row.cells].filter(([, cell]) => isWhole(cell, row)));
  return { ...row, cells };
}

function isWhole(cell: Cell, row: Row): boolean {
  if (cell.rendition.origin === "source") return true;
  const { kind } = cell.rendition;
  const sources = row.cells.values().filter(({ rendition }) => rendition.origin === "source");
  const whole = sources.find(({ rendition }) => rendition.kind === kind) ?? leadOf(row);
  if (!whole) return false;
  return startMsOf(cell) - startMsOf(whole) <= MAX_MISSING_MS && endMsOf(whole) - endMsOf(cell) <= MAX_MISSING_MS;
}

export function sizeOf({ cells }: Row): number {
  return cells.values().reduce((sum, { segment }) => sum + segment.byteLength, 0);
}

/** Wall clock of its first picture or sound. */
export function onAirAtMs(row: Row): number {
  const lead = leadOf(row);
  return lead ? lead.segment.period.wallZeroMs + startMsOf(lead) : 0;
}

export function startMsOf({ segment }: Cell): number {
  return ticksToMs(segment.start, segment.init.timescale);
}

export function endMsOf({ segment }: Cell): number {
  return ticksToMs(segment.start + segment.duration, segment.init.timescale);
}
