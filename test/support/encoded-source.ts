import type { AudioTrack, Period, Track, Unit, VideoTrack } from "../../src/live/unit.ts";
import { CmafReader } from "../../src/media/cmaf/reader.ts";
import { PRESENTATION_START_MS } from "../../src/media/timebase.ts";
import { ffmpegOutput } from "./ffmpeg-output.ts";

/** A stretch of real media as a LiveReader is given it. */
export interface EncodedSource {
  readonly period: Period;
  /** In the order of their arrival. */
  readonly units: readonly Unit[];
}

/** One fragment per GOP: with one per frame and two tracks in a file, ffmpeg 9 writes times that are not the encoder's. */
const MOVIE_FLAGS = "+empty_moov+default_base_moof+frag_keyframe+frag_discont";

/** What ffmpeg makes of `line` (inputs and encoder options), beginning at `startMs` of the presentation. */
export async function encodeSource(
  line: string,
  { startMs = PRESENTATION_START_MS, index = 0 } = {},
): Promise<EncodedSource> {
  const timing = `-output_ts_offset ${startMs / 1000} -avoid_negative_ts disabled -use_editlist 0`;
  const output = `-video_track_timescale 90000 -movflags ${MOVIE_FLAGS} -f mp4 -`;
  const bytes = await ffmpegOutput(...`${line} ${timing} ${output}`.split(" "));
  const tracks = new Map<number, Track>();
  const units: Unit[] = [];
  for (const event of new CmafReader().push(bytes)) {
    if (event.kind === "init") {
      for (const { trackId, timescale, format } of event.tracks) tracks.set(trackId, { timescale, format });
      continue;
    }
    const track = tracks.get(event.trackId);
    const { dts, cts, duration, isKey, data } = event;
    if (track) units.push({ track, dts, cts, duration: Math.max(1, duration), isKey, data, arrivedAtMs: Date.now() });
  }
  units.sort((a, b) => a.dts / a.track.timescale - b.dts / b.track.timescale);
  const all = [...tracks.values()];
  const video = all.find((track): track is VideoTrack => track.format.kind === "video");
  const audio = all.find((track): track is AudioTrack => track.format.kind === "audio");
  return { period: { index, video, audio, startMs, wallZeroMs: 0 }, units };
}
