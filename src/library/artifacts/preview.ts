import { layOutMovie } from "../../media/isobmff/movie-file.ts";
import { SampleTable } from "../../media/isobmff/sample-table.ts";
import { VIDEO_TIMESCALE } from "../../media/timebase.ts";
import type { StoredRendition } from "../../packaging/stored-rendition.ts";
import { cmafPipeArguments, readCmafPipe } from "../make/cmaf-pipe.ts";
import type { MakeTools } from "../make/contract.ts";
import { type OutputReader, runFfmpeg } from "../make/ffmpeg-run.ts";
import { GatheredOutput } from "../make/gathered-output.ts";
import { type Moment, pickMoments, segmentsWithin } from "./moments.ts";
import { sizeWithin } from "./picture-size.ts";
import { leadOf, matrixOf, PIPED_INPUT, type StoredPictures, segmentStream, shownSize } from "./stored-picture.ts";

export interface PreviewRequest {
  readonly pictures: StoredPictures;
  /** What is heard beside them. */
  readonly sound: StoredRendition | undefined;
  readonly signal: AbortSignal;
}

/** As large as it is shown when somebody hovers over a card, on a dense screen. */
export const PREVIEW_SIDE = 854;
const MOST_FRAME_RATE = 30;
/** So many streams and pipes there are in all: the first is 0, and one more input is 3. */
const SOUND_PIPE = 3;
/** Where one moment's sound ends and another's begins, it would click. */
const FADE_S = 0.05;

export interface Preview {
  /** Its tables stand first. */
  readonly mp4: Uint8Array;
  readonly durationMs: number;
}

/** Up to 30 seconds of a video. Throws as `runFfmpeg` and the store do. */
export async function makePreview(tools: MakeTools, { pictures, sound, signal }: PreviewRequest): Promise<Preview> {
  const moments = pickMoments(pictures);
  const heard = sound && { ...sound, segments: segmentsWithin(sound, moments) };
  const seen = { ...pictures, segments: segmentsWithin(pictures, moments) };
  const firstOutput = heard ? SOUND_PIPE + 1 : SOUND_PIPE;
  const tracks = [new PreviewTrack(), ...(heard ? [new PreviewTrack()] : [])];
  await runFfmpeg(tools, {
    feeds: [seen, ...(heard ? [heard] : [])].map((rendition) => segmentStream(tools.store, rendition, signal)),
    arguments: [
      ...["-threads:v", `${tools.coreCount}`, ...PIPED_INPUT],
      ...(heard ? ["-protocol_whitelist", "pipe", "-f", "mp4", "-i", `pipe:${SOUND_PIPE}`] : []),
      ...["-filter_complex", filterGraph(pictures, moments, heard)],
      ...["-map", "[v]", "-c:v", "libx264", "-preset", tools.preset, "-crf", "24", "-profile:v", "high"],
      ...[...BT709_ARGUMENTS, "-fps_mode", "passthrough", "-enc_time_base:v", `1:${VIDEO_TIMESCALE}`],
      ...["-threads:v", `${tools.coreCount}`, "-video_track_timescale", `${VIDEO_TIMESCALE}`],
      ...cmafPipeArguments(firstOutput, "encoded"),
      ...(heard ? ["-map", "[a]", "-c:a", "aac", "-b:a", "96k", ...cmafPipeArguments(firstOutput + 1, "encoded")] : []),
    ],
    readers: tracks.map((track) => track.read),
    signal,
  });
  const written = tracks.filter(({ samples }) => samples.count > 0);
  const { head, chunks } = layOutMovie(written.map((track) => track.fileTrack));
  const media = chunks.flatMap(({ track, sampleCount }) => written[track]?.take(sampleCount) ?? []);
  return {
    mp4: Buffer.concat([head, ...media]),
    durationMs: moments.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0),
  };
}

function filterGraph(pictures: StoredPictures, moments: readonly Moment[], sound: StoredRendition | undefined): string {
  const size = sizeWithin(shownSize(pictures), PREVIEW_SIDE);
  const colours = `in_color_matrix=${matrixOf(pictures)}:out_color_matrix=bt709:out_range=tv`;
  const scale = `scale=${size.width}:${size.height}:flags=bicubic:${colours},setsar=1,format=yuv420p`;
  const rate = isFast(pictures) ? `fps=${MOST_FRAME_RATE}` : "null";
  const label = (letter: string) => moments.map((_, index) => `[${letter}${index}]`).join("");
  const trims = moments.flatMap(({ startMs, endMs }, index) => {
    const range = `start=${startMs / 1000}:end=${endMs / 1000}`;
    const lengthS = (endMs - startMs) / 1000;
    const fades = `afade=d=${FADE_S},afade=t=out:st=${Math.max(0, lengthS - FADE_S)}:d=${FADE_S}`;
    return [
      `[v${index}]trim=${range},setpts=PTS-STARTPTS[p${index}]`,
      ...(sound ? [`[a${index}]atrim=${range},asetpts=PTS-(${startMs / 1000})/TB,${fades}[s${index}]`] : []),
    ];
  });
  const pieces = moments.map((_, index) => `[p${index}]${sound ? `[s${index}]` : ""}`).join("");
  return [
    `[0:v]setpts=PTS-${leadOf(pictures)}/TB,${scale},setparams=${BT709},split=${moments.length}${label("v")}`,
    ...(sound ? [`[1:a]asetpts=PTS-${leadOf(sound)}/TB,${SOUND_FORMAT},asplit=${moments.length}${label("a")}`] : []),
    ...trims,
    `${pieces}concat=n=${moments.length}:v=1:a=${sound ? 1 : 0}[joined]${sound ? "[a]" : ""}`,
    `[joined]${rate}[v]`,
  ].join(";");
}

const SOUND_FORMAT = "aformat=sample_rates=48000:channel_layouts=stereo";

/** A small picture that says nothing of its colours is taken for another than a large one: this one says it. */
const BT709 = "range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709";
const BT709_ARGUMENTS = [
  "-color_range",
  "tv",
  "-color_primaries",
  "bt709",
  "-color_trc",
  "bt709",
  "-colorspace",
  "bt709",
];

/** Above this, or of a rate that nobody tells. */
function isFast({ format: { frameRate } }: StoredPictures): boolean {
  return !frameRate || frameRate.numerator / frameRate.denominator > MOST_FRAME_RATE + 1;
}

/** One track that ffmpeg writes, in memory. */
class PreviewTrack {
  readonly samples = new SampleTable();
  readonly #media: Uint8Array[] = [];
  #format: Parameters<typeof layOutMovie>[0][number]["format"] | undefined;
  #timescale = 1;
  #start: number | undefined;
  #taken = 0;

  readonly read: OutputReader = (pieces) =>
    readCmafPipe(pieces, {
      onTrack: ({ format, timescale }) => {
        this.#format = format;
        this.#timescale = timescale;
      },
      onSample: (pts, { cts, duration, isKey, data }) => {
        this.#start ??= pts - cts;
        this.samples.push({ duration, cts, isKey, byteLength: data.length });
        this.#media.push(data);
        return undefined;
      },
    });

  get fileTrack() {
    if (!this.#format) throw new TypeError("a track without a header has no samples");
    return { format: this.#format, timescale: this.#timescale, start: this.#start ?? 0, samples: this.samples };
  }

  take(count: number): readonly Uint8Array[] {
    this.#taken += count;
    return this.#media.slice(this.#taken - count, this.#taken);
  }
}

/** Of every five seconds one is shown, which is of every moment the first; of less than six seconds, all. */
const SHOWN_OF_S = 5;
const SHOWN_WHOLE_MS = 6_000;
const WEBP_RATE = 10;
const WEBP_SIDE = 320;
const MOST_WEBP_BYTES = 16 * 1024 * 1024;

/** A small moving picture without sound, of a preview: for pages that show it in place of the poster. */
export async function makeMovingPicture(
  tools: MakeTools,
  { mp4, durationMs }: Preview,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const output = new GatheredOutput(MOST_WEBP_BYTES, "a moving picture");
  const sides = `'min(${WEBP_SIDE},iw)':'min(${WEBP_SIDE},ih)'`;
  // WebP knows no other colours.
  const colours = "in_color_matrix=bt709:out_color_matrix=bt601:out_range=tv,format=yuv420p";
  const scale = `scale=${sides}:force_original_aspect_ratio=decrease:force_divisible_by=2:${colours}`;
  const select = `select='lt(mod(n,${SHOWN_OF_S * WEBP_RATE}),${WEBP_RATE})'`;
  const filters = [
    ...[`fps=${WEBP_RATE}`, ...(durationMs > SHOWN_WHOLE_MS ? [select] : [])],
    ...[`setpts=N/${WEBP_RATE}/TB`, scale],
  ];
  await runFfmpeg(tools, {
    feeds: [oneFeed(mp4)],
    arguments: [
      ...PIPED_INPUT,
      ...["-map", "0:v", "-vf", filters.join(","), "-fps_mode", "passthrough"],
      ...["-c:v", "libwebp_anim", "-loop", "0", "-q:v", "50", "-compression_level", "3", "-f", "image2pipe", "pipe:3"],
    ],
    readers: [output.read],
    signal,
  });
  return output.bytes;
}

async function* oneFeed(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
