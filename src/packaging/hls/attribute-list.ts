import assert from "node:assert/strict";
import { type Ticks, ticksToMs } from "../../media/timebase.ts";

/** Values that stand as they are: enumerated strings, numbers, and what `quoted` made. Undefined ones are left out. */
type Attributes = Readonly<Record<string, string | number | undefined>>;

/** One tag line without its line end: `#NAME:A=1,B="x"`. Attributes keep the order in which they are given. */
export function tag(name: string, attributes: Attributes): string {
  const list = Object.entries(attributes).filter(([, value]) => value !== undefined);
  return `#${name}:${list.map(([key, value]) => `${key}=${value}`).join(",")}`;
}

/** A quoted-string attribute value. Only text of our own making gets here, so a forbidden mark in it is a bug. */
export function quoted(text: string): string {
  assert(!/["\r\n]/.test(text), `cannot stand in a quoted string: ${text}`);
  return `"${text}"`;
}

/** Decimals of every duration: 10 µs is finer than a tick of 90 kHz, so tick-exact durations stay tell-apart. */
const DECIMALS = 5;

/** Media duration in decimal seconds. Rounded the same way everywhere: a part within its target also reads so. */
export function durationText(ticks: Ticks, timescale: number): string {
  return (ticksToMs(ticks, timescale) / 1000).toFixed(DECIMALS);
}

/** `ms` as seconds, rounded as `durationText` rounds, for the numbers of the header. */
export function headerSeconds(ms: number): number {
  return Number((ms / 1000).toFixed(DECIMALS));
}
