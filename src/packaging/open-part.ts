import type { Unit } from "../live/unit.ts";
import type { Ticks } from "../media/timebase.ts";

/** What every part but the last of a segment lasts at least, of the part target (HLS §4.4.4.9). */
const MIN_PART_SHARE = 0.85;

export type Units = readonly [Unit, ...Unit[]];

/**
 * The units of a segment that are in no part yet. A part never lasts longer than the part target, and not less than 85 %
 * of it: where a source has dropped frames, the frame that lasts into the hole fits into no part. Decode times are moved
 * then, by as little as it takes: the frames around the hole are decoded at the instants where parts have to end, and
 * shown when they were. Sound, which knows no decode time of its own, moves into the hole.
 */
export class OpenPart {
  readonly #minTicks: Ticks;
  readonly #maxTicks: Ticks;
  readonly #canReorder: boolean;
  #units: Unit[] = [];
  #ticks: Ticks = 0;
  /** The unit before the newest was too long for a part. */
  #wasLong = false;
  #isLong = false;

  /** `partTicks`: the part target; Infinity when segments are not cut into parts. */
  constructor({ partTicks, kind }: { partTicks: Ticks; kind: "video" | "audio" }) {
    this.#minTicks = Math.ceil(partTicks * MIN_PART_SHARE);
    this.#maxTicks = Math.floor(partTicks);
    this.#canReorder = kind === "video";
  }

  /** Takes the segment's next unit; returns the parts that it completes, which it is not always part of. */
  add(unit: Unit): Units[] {
    this.#wasLong = this.#isLong;
    this.#isLong = unit.duration > this.#maxTicks;
    this.#units.push(unit);
    this.#ticks += unit.duration;
    return this.#takeParts(false);
  }

  /** Whether a unit that lasts `nextTicks` would begin another part, and this one is long enough. */
  isFullBefore(nextTicks: Ticks): boolean {
    return this.#ticks >= this.#minTicks && this.#ticks <= this.#maxTicks && this.#ticks + nextTicks > this.#maxTicks;
  }

  /** All that is left, as the segment's last parts; one is too long only where there are fewer frames than parts. */
  takeAll(): Units[] {
    const parts = this.#takeParts(true);
    return this.#units.length > 0 ? [...parts, this.#take(this.#units.length)] : parts;
  }

  #takeParts(isSegmentEnd: boolean): Units[] {
    const parts: Units[] = [];
    while (this.#ticks > this.#maxTicks) {
      if (this.#units.length > 1) parts.push(this.#takePart());
      // The next frame may begin early, to end this one: unless frames are this long altogether.
      else if (isSegmentEnd || !(this.#isLong && this.#wasLong)) break;
      else parts.push(this.#take(1));
    }
    return parts;
  }

  /** The first part of more than one. As many units as fit, but enough are left for the parts that must follow. */
  #takePart(): Units {
    const partCount = Math.ceil(this.#ticks / this.#maxTicks);
    const mostUnits = Math.max(1, this.#units.length - (partCount - 1));
    let count = 1;
    let ticks = this.#units[0]?.duration ?? 0;
    for (const { duration } of this.#units.slice(1, mostUnits)) {
      if (ticks + duration > this.#maxTicks) break;
      ticks += duration;
      count++;
    }
    this.#moveEnd(count, this.#lengthOf(ticks, this.#units.length - count) - ticks);
    return this.#take(count);
  }

  /** How long a part shall be that lasts `ticks` by itself; `restCount` units follow. */
  #lengthOf(ticks: Ticks, restCount: number): Ticks {
    // One frame that is too long: the next takes what is too much, if it has room.
    if (ticks > this.#maxTicks) return (this.#units[1]?.duration ?? 0) > this.#maxTicks ? ticks : this.#maxTicks;
    const isRestTooLong = this.#ticks - Math.max(ticks, this.#minTicks) > restCount * this.#maxTicks;
    return isRestTooLong ? this.#maxTicks : Math.max(ticks, this.#minTicks);
  }

  /** Lets the first `count` units last `ticks` longer, or shorter, at the cost of the longest, or in favour of the next. */
  #moveEnd(count: number, ticks: Ticks): void {
    if (ticks === 0) return;
    const rest = this.#units.slice(count);
    const longest = rest.reduce(
      (found, unit, index) => (unit.duration > (rest[found]?.duration ?? 0) ? index : found),
      0,
    );
    const other = count + (ticks > 0 ? longest : 0);
    let shift = 0;
    this.#units = this.#units.map((unit, index) => {
      const longer = index === count - 1 ? ticks : index === other ? -ticks : 0;
      const moved = this.#move(unit, shift, longer);
      shift += longer;
      return moved;
    });
  }

  #move(unit: Unit, shift: Ticks, longer: Ticks): Unit {
    if (shift === 0 && longer === 0) return unit;
    return {
      ...unit,
      dts: unit.dts + shift,
      cts: this.#canReorder ? unit.cts - shift : unit.cts,
      duration: unit.duration + longer,
    };
  }

  #take(count: number): Units {
    const [first, ...others] = this.#units.splice(0, count);
    if (!first) throw new RangeError("a part without units");
    this.#ticks = this.#units.reduce((sum, { duration }) => sum + duration, 0);
    return [first, ...others];
  }
}
