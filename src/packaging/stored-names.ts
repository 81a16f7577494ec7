const SEGMENT_NAME = /^([A-Za-z0-9]+)-([1-9]\d{0,9})\.m4s$/;

/** Public name of segment `msn`, counted from 1, of a stored rendition. */
export function segmentObjectName(epoch: string, msn: number): string {
  return `${epoch}-${msn}.m4s`;
}

/** What a public name says, or undefined when no segment is called that. */
export function parseSegmentName(name: string): { readonly epoch: string; readonly msn: number } | undefined {
  const [, epoch, msn] = SEGMENT_NAME.exec(name) ?? [];
  return epoch === undefined ? undefined : { epoch, msn: Number(msn) };
}

/** Public name of the one file that holds the words of a stored text. */
export function textObjectName(epoch: string): string {
  return `${epoch}-1.vtt`;
}
