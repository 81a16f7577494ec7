import { type Ticks, VIDEO_TIMESCALE } from "../../media/timebase.ts";
import { DEMUXERS } from "../probe/container.ts";
import type { MakeSource } from "./contract.ts";

/**
 * Opens the source with its own demuxer and no protocol but what its address needs: nothing in it can name another file or
 * address. With `fromTicks` (90 kHz, of the source's clock) it is read from a key frame before that, or near it.
 */
export function sourceArguments({ access, container }: MakeSource, fromTicks?: Ticks): readonly string[] {
  const seek = [
    "-noaccurate_seek",
    "-seek_timestamp",
    "1",
    "-ss",
    `${((fromTicks ?? 0) / VIDEO_TIMESCALE).toFixed(6)}`,
  ];
  return [
    ...(fromTicks === undefined ? [] : seek),
    ...["-protocol_whitelist", access.input.protocols, "-f", DEMUXERS[container], "-i", access.input.url],
  ];
}
