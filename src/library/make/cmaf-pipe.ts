import { CmafReader, type ReadSample } from "../../media/cmaf/reader.ts";
import type { CmafTrack } from "../../media/cmaf/track.ts";

/**
 * By so much later than asked for ffmpeg stamps what it writes: decode times before presentation zero would be negative, and
 * fragments cannot tell those.
 */
const LEAD_S = 3600;
/** So much goes into one fragment, and a frame at least. One for each frame would cost the reader three times as much work. */
const FRAGMENT_US = 500_000;
const MOST_FRAGMENT_BYTES = 64 * 1024 * 1024;

/**
 * Output as fragmented MP4 on pipe `number`; to be read by `readCmafPipe` with the same
 * `shiftS`, whole seconds that keep times positive beyond the lead. `copied`: some codecs tell their configuration only with
 * the first frame; encoders have it at once, and then there is a header even when no frame comes.
 */
export function cmafPipeArguments(number: number, media: "encoded" | "copied", shiftS = 0): readonly string[] {
  const moov = media === "copied" ? "delay_moov" : "empty_moov";
  return [
    ...["-map_metadata", "-1", "-map_chapters", "-1", "-avoid_negative_ts", "disabled", "-use_editlist", "0"],
    ...["-output_ts_offset", `${LEAD_S + shiftS}`, "-muxdelay", "0", "-flush_packets", "1"],
    // frag_discont: the first tfdt is true.
    ...["-movflags", `+${moov}+default_base_moof+frag_discont`, "-frag_duration", `${FRAGMENT_US}`],
    ...["-f", "mp4", `pipe:${number}`],
  ];
}

/** What comes out of one pipe. `pts` is in ticks of the track, on the clock that ffmpeg's output was asked to have. */
export interface CmafPipeSink {
  onTrack(track: CmafTrack): void;
  onSample(pts: number, sample: ReadSample): Promise<void> | undefined;
}

/**
 * Reads a pipe to its end, frame by frame; whether that is the end of the media is told by ffmpeg's exit. Throws
 * MalformedInput and what the sink throws.
 */
export async function readCmafPipe(pieces: AsyncIterable<Uint8Array>, sink: CmafPipeSink, shiftS = 0): Promise<void> {
  const reader = new CmafReader({ limitBytes: MOST_FRAGMENT_BYTES });
  let leadTicks = 0;
  for await (const piece of pieces) {
    for (const event of reader.push(piece)) {
      if (event.kind === "sample") {
        // Most samples need no waiting: only one that ends a segment has something to be put.
        const done = sink.onSample(event.dts + event.cts - leadTicks, event);
        if (done) await done;
        continue;
      }
      const [track] = event.tracks;
      if (!track) continue;
      leadTicks = (LEAD_S + shiftS) * track.timescale;
      sink.onTrack(track);
    }
  }
}
