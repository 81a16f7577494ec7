import { CmafReader, type ReadSample } from "../../src/media/cmaf/reader.ts";
import type { CmafTrack } from "../../src/media/cmaf/track.ts";
import { ffmpegOutput } from "./ffmpeg-output.ts";

/** One track as a real encoder made it, read from ffmpeg's fragmented MP4. */
export interface EncodedTrack {
  readonly track: CmafTrack;
  readonly samples: readonly ReadSample[];
  /** What ffmpeg wrote. */
  readonly mp4: Buffer;
}

const MOVFLAGS = "cmaf+frag_every_frame+empty_moov";
/** For codecs (AC-3, libaom's AV1) whose configuration ffmpeg knows only once it saw a frame. */
export const LATE_MOVFLAGS = "cmaf+frag_every_frame+delay_moov";

/** Half a second of moving picture, of an odd size so that cropping shows, at 30000/1001 frames. */
export function encodeVideo(encoder: string, ...options: string[]): Promise<EncodedTrack> {
  const source = "testsrc2=size=322x182:rate=30000/1001:duration=0.5";
  return encode("-f", "lavfi", "-i", source, "-c:v", encoder, "-movflags", MOVFLAGS, ...options);
}

/** Half a second of stereo tone. */
export function encodeAudio(encoder: string, ...options: string[]): Promise<EncodedTrack> {
  const source = "sine=sample_rate=48000:duration=0.5,aformat=channel_layouts=stereo";
  return encode("-f", "lavfi", "-i", source, "-c:a", encoder, "-movflags", LATE_MOVFLAGS, ...options);
}

async function encode(...args: string[]): Promise<EncodedTrack> {
  const mp4 = await ffmpegOutput(...args, "-strict", "-2", "-f", "mp4", "-");
  const reader = new CmafReader();
  const events = reader.push(mp4);
  reader.end();
  const track = events.flatMap((event) => (event.kind === "init" ? event.tracks : []))[0];
  if (!track) throw new Error("ffmpeg wrote no track");
  return { track, samples: events.filter((event) => event.kind === "sample"), mp4 };
}

/** The encoders of every codec that can be packaged, with options that make them quick and quiet. */
export const VIDEO_ENCODERS: Readonly<Record<string, readonly string[]>> = {
  libx264: ["-preset", "ultrafast", "-bf", "2"],
  libx265: ["-preset", "ultrafast", "-x265-params", "log-level=none", "-tag:v", "hvc1"],
  libsvtav1: ["-preset", "12"],
  "libvpx-vp9": ["-deadline", "realtime", "-cpu-used", "8"],
};

export const AUDIO_ENCODERS = ["aac", "libopus", "flac", "ac3", "eac3", "libmp3lame"] as const;
