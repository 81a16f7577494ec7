/** The units that a kind of quantity is written in, largest first; each is a whole number of the smallest. */
export type Units = Readonly<Record<string, number>>;

/** In milliseconds. */
export const DURATION_UNITS: Units = { h: 3_600_000, min: 60_000, s: 1000, ms: 1 };
/** In bytes. */
export const SIZE_UNITS: Units = {
  TiB: 2 ** 40,
  TB: 1e12,
  GiB: 2 ** 30,
  GB: 1e9,
  MiB: 2 ** 20,
  MB: 1e6,
  KiB: 1024,
  kB: 1000,
  B: 1,
};
/** In bits per second. */
export const BITRATE_UNITS: Units = { Gbps: 1e9, Mbps: 1e6, kbps: 1000, bps: 1 };

const WRITTEN = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/;

/**
 * `2s`, `1.5 MiB` or `3500kbps` in the smallest of `units`, or undefined when it is not written so or comes out
 * fractional. The unit is required: whether a bare `5` means seconds or milliseconds is not for a reader to guess.
 */
export function parseQuantity(text: string, units: Units): number | undefined {
  const [, amount, unit] = WRITTEN.exec(text.trim()) ?? [];
  if (amount === undefined || unit === undefined) return undefined;
  const name = Object.keys(units).find((known) => known.toLowerCase() === unit.toLowerCase());
  const value = Number(amount) * (units[name ?? ""] ?? Number.NaN);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** `value` in the largest of `units` that leaves it a whole number: 120000 as `2min`. */
export function formatQuantity(value: number, units: Units): string {
  const [name, factor] = Object.entries(units).find(([, size]) => value !== 0 && value % size === 0) ??
    Object.entries(units).at(-1) ?? ["", 1];
  return `${value / factor}${name}`;
}
