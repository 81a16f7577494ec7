import { videoChunkArguments } from "./video-chunk-arguments.ts";

const video: any = {
  index: 0,
  codec: "h264",
  width: 1280,
  height: 720,
  frameRate: { numerator: 30, denominator: 1 },
  pixelFormat: "yuv420p",
  colour: { primaries: null, transfer: null, matrix: null, isFullRange: false },
};
const rungs = [
  [1280, 720, 2_800_000, "3.1"],
  [854, 480, 1_400_000, "3.1"],
  [640, 360, 800_000, "3.0"],
] as const;
const spec = ([width, height, bitrateBps, level]: any): any => ({
  kind: "video",
  method: "encode",
  id: `${height}p`,
  streamIndex: 0,
  width,
  height,
  bitrateBps,
  profile: "main",
  level,
  audioRenditionId: null,
});
const [s, e] = process.argv.slice(2).map(Number);
const args = videoChunkArguments({
  source: {
    access: { input: { url: "file:/tmp/mk/long.mp4", protocols: "file" }, failure: undefined, close: async () => {} },
    container: "mp4",
    sizeBytes: 1,
    zeroTicks: 0,
  },
  video,
  picture: { deinterlace: false, toneMapFrom: null, frameRateLimit: null },
  rungs: rungs.map(spec),
  range: { startMs: s ?? 0, endMs: e },
  rule: { kind: "every", targetMs: 4000 },
  preset: "veryfast",
  coreCount: 2,
  seeks: true,
});
console.log(args.map((a) => `'${a.replaceAll("'", `'\\''`)}'`).join(" "));
