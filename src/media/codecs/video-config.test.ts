import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeVideo, LATE_MOVFLAGS, VIDEO_ENCODERS } from "../../../test/support/encoded-track.ts";
import { ffprobeJson } from "../../../test/support/ffmpeg-output.ts";
import type { VideoFormat } from "../format.ts";

interface ProbedStream {
  readonly width: number;
  readonly height: number;
  readonly sample_aspect_ratio: string;
  readonly r_frame_rate: string;
  readonly pix_fmt: string;
  readonly color_space?: string;
  readonly color_primaries?: string;
  readonly color_transfer?: string;
  readonly color_range?: string;
}

const COLOUR_NAMES: Readonly<Record<number, string>> = { 1: "bt709", 9: "bt2020", 16: "smpte2084" };

/** Settings of which each changes how the parameter sets are written. */
const SETTINGS: Readonly<Record<string, readonly string[]>> = {
  "libx264 as it comes": VIDEO_ENCODERS.libx264 ?? [],
  "libx264 4:4:4": ["-preset", "ultrafast", "-pix_fmt", "yuv444p"],
  "libx264 10 bit 4:2:2": ["-preset", "ultrafast", "-pix_fmt", "yuv422p10le"],
  "libx264 interlaced, high": ["-preset", "superfast", "-flags", "+ilme+ildct", "-vf", "scale=720:564,setsar=16/15"],
  "libx264 with scaling matrices": ["-preset", "superfast", "-x264-params", "cqm=jvt"],
  "libx265 as it comes": VIDEO_ENCODERS.libx265 ?? [],
  "libx265 10 bit HDR": [
    ...(VIDEO_ENCODERS.libx265 ?? []),
    ...["-pix_fmt", "yuv420p10le", "-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc"],
  ],
  "libx265 4:2:2 with long references and scaling lists": [
    ...["-preset", "medium", "-tag:v", "hvc1", "-pix_fmt", "yuv422p", "-vf", "setsar=4/3"],
    ...["-x265-params", "log-level=none:scaling-list=default:bframes=4:ref=5:b-pyramid=1"],
  ],
  "libsvtav1 as it comes": VIDEO_ENCODERS.libsvtav1 ?? [],
  "libsvtav1 10 bit HDR": [
    ...(VIDEO_ENCODERS.libsvtav1 ?? []),
    ...["-pix_fmt", "yuv420p10le", "-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc"],
  ],
  "libaom-av1 4:4:4 full range": [
    ...[
      "-movflags",
      LATE_MOVFLAGS,
      "-cpu-used",
      "8",
      "-usage",
      "realtime",
      "-pix_fmt",
      "yuv444p",
      "-color_range",
      "pc",
    ],
    ...["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"],
  ],
  "libvpx-vp9 as it comes": VIDEO_ENCODERS["libvpx-vp9"] ?? [],
  "libvpx-vp9 10 bit": [...(VIDEO_ENCODERS["libvpx-vp9"] ?? []), "-pix_fmt", "yuv420p10le"],
};

for (const [name, options] of Object.entries(SETTINGS)) {
  test(`reads what ffprobe reads: ${name}`, async () => {
    const { track, mp4 } = await encodeVideo(name.split(" ")[0] ?? "", ...options);
    const { streams } = (await ffprobeJson(mp4, "-show_streams")) as { streams: ProbedStream[] };
    assert.ok(streams[0] && track.format.kind === "video");
    assertSame(track.format, streams[0]);
  });
}

function assertSame(format: VideoFormat, probed: ProbedStream): void {
  assert.equal(`${format.width}x${format.height}`, `${probed.width}x${probed.height}`);
  const { sampleAspect, frameRate, colour } = format;
  assert.equal(`${sampleAspect.width}:${sampleAspect.height}`, probed.sample_aspect_ratio ?? "1:1");
  assert.equal(format.bitDepth, probed.pix_fmt.includes("10le") ? 10 : 8);
  if (frameRate) assert.equal(`${frameRate.numerator}/${frameRate.denominator}`, probed.r_frame_rate);
  assert.equal(COLOUR_NAMES[colour?.primaries ?? 2], probed.color_primaries);
  assert.equal(COLOUR_NAMES[colour?.transfer ?? 2], probed.color_transfer);
  if (colour?.isFullRange) assert.equal(probed.color_range, "pc");
}

test("finds the frame rate where the encoder tells it", async () => {
  for (const encoder of ["libx264", "libx265"]) {
    const { track } = await encodeVideo(encoder, ...(VIDEO_ENCODERS[encoder] ?? []));
    assert.ok(track.format.kind === "video");
    assert.deepEqual(track.format.frameRate, { numerator: 30_000, denominator: 1001 }, encoder);
  }
});

test("keeps the shape of pixels that are not square", async () => {
  for (const encoder of ["libx264", "libx265"]) {
    const { track } = await encodeVideo(encoder, ...(VIDEO_ENCODERS[encoder] ?? []), "-vf", "setsar=40/33");
    assert.ok(track.format.kind === "video");
    assert.deepEqual(track.format.sampleAspect, { width: 40, height: 33 }, encoder);
  }
});
