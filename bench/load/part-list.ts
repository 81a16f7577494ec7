/** A part as a playlist lists it. */
export interface ListedPart {
  readonly msn: number;
  readonly index: number;
  readonly uri: string;
  /** Wall clock at which its last frame ended, by PROGRAM-DATE-TIME. */
  readonly endMs: number;
}

/** What a player needs of a low-latency media playlist to go on. */
export interface PartList {
  /** The newest last; only those of segments that have parts. */
  readonly parts: readonly ListedPart[];
  /** The query that waits for what comes next. */
  readonly nextQuery: string;
}

/** Reads a media playlist, whole or delta. */
export function readPartList(text: string): PartList {
  const parts: ListedPart[] = [];
  let msn = 0;
  let index = 0;
  let clockMs = Number.NaN;
  let skip = "";
  for (const line of text.split("\n")) {
    const value = line.slice(line.indexOf(":") + 1);
    if (line.startsWith("#EXT-X-MEDIA-SEQUENCE:")) msn = Number(value);
    else if (line.startsWith("#EXT-X-SKIP:")) msn += Number(/SKIPPED-SEGMENTS=(\d+)/.exec(value)?.[1]);
    else if (line.startsWith("#EXT-X-SERVER-CONTROL:")) skip = value.includes("CAN-SKIP-UNTIL") ? "&_HLS_skip=YES" : "";
    else if (line.startsWith("#EXT-X-PROGRAM-DATE-TIME:")) clockMs = Date.parse(value);
    else if (line.startsWith("#EXT-X-PART:")) {
      clockMs += 1000 * Number(/DURATION=([\d.]+)/.exec(value)?.[1]);
      parts.push({ msn, index, uri: /URI="([^"]+)"/.exec(value)?.[1] ?? "", endMs: clockMs });
      index += 1;
    } else if (line !== "" && !line.startsWith("#")) {
      msn += 1;
      index = 0;
    }
  }
  return { parts, nextQuery: `_HLS_msn=${msn}&_HLS_part=${index}${skip}` };
}
