/** `ms` as an xs:duration in seconds, to the millisecond: `PT2.5S`. */
export function durationText(ms: number): string {
  return `PT${Number((ms / 1000).toFixed(3))}S`;
}

/** An instant as xs:dateTime in UTC, to the millisecond. */
export function instantText(epochMs: number): string {
  return new Date(Math.round(epochMs)).toISOString();
}
