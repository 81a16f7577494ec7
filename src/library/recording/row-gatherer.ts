import { ticksToMs } from "../../media/timebase.ts";
import { completeSegments, type LivePresentation, type Rendition } from "../../packaging/presentation.ts";
import { type Cell, leadOf, type Row, wholeRow } from "./row.ts";

export interface RowGathererOptions {
  readonly presentation: LivePresentation;
  /** Renditions that are on their way, listed already or not. */
  readonly expectedIds: () => Iterable<string>;
  /** Whether viewers are let in: until then the first rungs are waited for. */
  readonly isOpen: () => boolean;
  /** Told of every row that has media, in order. */
  readonly onRow: (row: Row) => void;
  readonly onEnd: () => void;
}

/** A rendition that is further behind the newest segment of any has nothing in the row. */
const LATEST_MS = 15_000;

/** Rows in the making: each is given out when every rendition has its segment of it, or has passed it by. */
export class RowGatherer {
  readonly #options: RowGathererOptions;
  /** By number, in order. */
  readonly #rows = new Map<number, Map<string, Cell>>();
  /** Number of the newest segment that was taken, by rendition. */
  readonly #taken = new Map<string, number>();
  #givenMsn = 0;
  #stop: readonly (() => void)[];

  constructor(options: RowGathererOptions) {
    this.#options = options;
    const { events } = options.presentation;
    this.#stop = [
      events.on("advance", (rendition) => this.#take(rendition)),
      events.on("renditions", () => this.#give()),
      events.on("ended", () => this.#end()),
    ];
  }

  /** Gives out what is there, and hears no more. */
  close(): void {
    for (const stop of this.#stop) stop();
    this.#stop = [];
    for (const msn of this.#inOrder()) this.#giveOut(msn);
  }

  #end(): void {
    this.close();
    this.#options.onEnd();
  }

  #take(rendition: Rendition): void {
    const taken = this.#taken.get(rendition.id) ?? 0;
    const fresh = completeSegments(rendition).filter(({ msn }) => msn > taken);
    const last = fresh.at(-1);
    if (!last) return;
    this.#taken.set(rendition.id, last.msn);
    for (const segment of fresh) {
      if (segment.msn <= this.#givenMsn) continue;
      const row = this.#rows.get(segment.msn) ?? new Map<string, Cell>();
      this.#rows.set(segment.msn, row);
      const { id, kind, origin, audioRenditionId } = rendition;
      if (!segment.isGap) row.set(id, { rendition: { id, kind, origin, audioRenditionId }, segment });
    }
    this.#give();
  }

  #give(): void {
    if (!this.#options.isOpen()) return;
    for (const msn of this.#inOrder()) {
      if (!this.#isWhole(msn) && !this.#isLate(msn)) return;
      this.#giveOut(msn);
    }
  }

  #inOrder(): number[] {
    return [...this.#rows.keys()].sort((a, b) => a - b);
  }

  #isWhole(msn: number): boolean {
    const { presentation, expectedIds } = this.#options;
    const ids = new Set([...presentation.renditions.map(({ id }) => id), ...expectedIds()]);
    return [...ids].every((id) => (this.#taken.get(id) ?? 0) >= msn);
  }

  /** So much has come after it that nobody waits for the rest. */
  #isLate(msn: number): boolean {
    const behind = [...this.#rows].filter(([other]) => other > msn);
    return behind.reduce((sum, [, cells]) => sum + durationMs(cells), 0) > LATEST_MS;
  }

  #giveOut(msn: number): void {
    const cells = this.#rows.get(msn);
    this.#rows.delete(msn);
    this.#givenMsn = Math.max(this.#givenMsn, msn);
    const row = cells && wholeRow({ msn, cells });
    if (row && leadOf(row)) this.#options.onRow(row);
  }
}

function durationMs(cells: ReadonlyMap<string, Cell>): number {
  const [cell] = cells.values();
  return cell ? ticksToMs(cell.segment.duration, cell.segment.init.timescale) : 0;
}
