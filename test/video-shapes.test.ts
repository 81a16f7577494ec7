import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { SHORT, uploadFilm } from "./support/films.ts";
import { flashes, readBeeps, readPictures, type ShownPictures } from "./support/flashes.ts";
import { type Headwater, soon, startHeadwater } from "./support/headwater.ts";
import { type ReadPresentation, type ReadRendition, readPresentation } from "./support/readers.ts";
import { probeFile, sourceDirectory, writeSource } from "./support/source-files.ts";

const directory = await sourceDirectory();
const at = (name: string) => join(directory, name);

const IN_STEP_S = 0.02;
/** What Matroska rounds to, and a tick of ours. */
const SAME_INSTANT_S = 0.0011;

interface Shape {
  readonly file: string;
  readonly source?: Parameters<typeof flashes>[0];
  /** Inputs of ffmpeg; picture and sound of `source` without it. */
  readonly inputs?: (made: ReturnType<typeof flashes>) => readonly string[];
  readonly options: readonly string[];
  /** What is then done to the file, without encoding it again: options before and behind the input. */
  readonly remake?: { readonly before?: readonly string[]; readonly after?: readonly string[] };
  /** Ids of what there has to be, in the order of the playlist. */
  readonly renditions: readonly string[];
  /** What else is to be seen of it. */
  readonly check?: (seen: Seen) => Promise<void> | void;
}

interface Seen {
  readonly presentation: ReadPresentation;
  readonly hlsUrl: string;
}

const x264 = (...options: string[]) => ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", ...options];
const SHORT_GOPS = x264("-g", "25", "-bf", "2", "-b_strategy", "0");
const AAC = ["-c:a", "aac"];
const KEPT = ["source", "audio_source"];
const WIDE = ["-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc"];
const TEN_BITS = ["-pix_fmt", "yuv420p10le", "-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1"];

const SHAPES: Readonly<Record<string, Shape>> = {
  "B-frames, and a quality beside it": {
    file: "bframes.mp4",
    source: { size: "640x360" },
    options: [...SHORT_GOPS, ...AAC],
    renditions: ["source", "240p", "audio_source"],
  },
  "pictures that lie on their side": {
    file: "turned.mp4",
    options: [...SHORT_GOPS, ...AAC],
    remake: { after: ["-metadata:s:v:0", "rotate=90"] },
    renditions: ["240p", "audio_source"],
    check: ({ presentation }) => assert.deepEqual(attributes(presentation, "RESOLUTION"), ["90x160"]),
  },
  "an odd size": {
    file: "odd.mkv",
    source: { size: "641x359" },
    options: [...x264("-pix_fmt", "yuv444p"), ...AAC],
    renditions: ["240p", "audio_source"],
  },
  "ten bits": {
    file: "ten.mkv",
    options: [...TEN_BITS, "-x265-params", "log-level=none", ...AAC],
    renditions: ["240p", "audio_source"],
  },
  "high dynamic range": {
    file: "hdr.mp4",
    options: [
      ...[...TEN_BITS, ...WIDE, "-x265-params"],
      ...["log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc", ...AAC],
    ],
    renditions: ["240p", "audio_source"],
    check: async ({ presentation, hlsUrl }) => {
      assert.deepEqual(attributes(presentation, "VIDEO-RANGE"), [undefined]);
      const { streams } = await probeFile(hlsUrl, "-select_streams", "v", "-show_streams");
      const { color_primaries, color_transfer, color_space, pix_fmt } = streams?.[0] ?? {};
      assert.deepEqual([color_primaries, color_transfer, color_space, pix_fmt], ["bt709", "bt709", "bt709", "yuv420p"]);
    },
  },
  "six channels of sound": {
    file: "surround.mkv",
    options: [...SHORT_GOPS, ...AAC, "-ac", "6", "-b:a", "384k"],
    renditions: ["source", "audio_aac_128", "audio_source"],
    check: ({ presentation }) => {
      const channels = presentation.multivariant.media.map((media) => media.get("CHANNELS"));
      assert.deepEqual(channels, ['"2"', '"6"']);
    },
  },
  "two languages, and words": {
    file: "languages.mkv",
    inputs: ({ picture, sound }) => [...picture, ...sound, ...sound, "-i", at("words.srt")],
    options: [
      ...["-map", "0", "-map", "1", "-map", "2", "-map", "3", ...SHORT_GOPS, ...AAC, "-c:s", "subrip"],
      ...["-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=ger", "-metadata:s:s:0", "language=eng"],
    ],
    renditions: ["source", "audio_source", "audio_de_source"],
    check: checkWords,
  },
  "words in MP4": {
    file: "words.mp4",
    inputs: ({ picture, sound }) => [...picture, ...sound, "-i", at("words.srt")],
    options: ["-map", "0", "-map", "1", "-map", "2", ...SHORT_GOPS, ...AAC, "-c:s", "mov_text"],
    renditions: KEPT,
    check: checkWords,
  },
  "a variable frame rate": {
    file: "variable.mp4",
    source: { rate: "50" },
    options: [
      ...["-vf", "select='not(mod(n,3))+gt(t,2)'", "-fps_mode", "vfr"],
      ...x264("-g", "30", "-bf", "2"),
      ...AAC,
    ],
    renditions: KEPT,
  },
  "one picture a second": {
    file: "slow.mp4",
    source: { rate: "1" },
    inputs: ({ sound }) => {
      const blink = "color=black:size=160x90:rate=1:duration=6,drawbox=color=white:t=fill:enable='eq(t,3)'";
      return ["-f", "lavfi", "-i", blink, ...sound];
    },
    options: [...x264("-g", "2"), ...AAC],
    renditions: KEPT,
  },
  "one picture a second, encoded": {
    file: "slow.avi",
    inputs: ({ sound }) => {
      const blink = "color=black:size=160x90:rate=1:duration=6,drawbox=color=white:t=fill:enable='eq(t,3)'";
      return ["-f", "lavfi", "-i", blink, ...sound];
    },
    options: ["-c:v", "mpeg4", "-c:a", "libmp3lame"],
    renditions: ["240p", "audio_aac_48"],
  },
  "open groups of pictures": {
    file: "open.mp4",
    options: [...x264("-bf", "3", "-x264-params", "open-gop=1:keyint=20:b-adapt=0"), ...AAC],
    renditions: KEPT,
  },
  "sound that is longer": {
    file: "longer.mp4",
    inputs: ({ picture }) => [...picture, ...flashes({ seconds: 8 }).sound],
    options: [...SHORT_GOPS, ...AAC],
    renditions: KEPT,
  },
  "sound that ends early": {
    file: "shorter.mkv",
    inputs: ({ picture }) => [...picture, ...flashes({ seconds: 4 }).sound],
    options: [...SHORT_GOPS, ...AAC],
    renditions: KEPT,
  },
  "sound that begins late": {
    file: "late.mp4",
    inputs: ({ picture, sound }) => [...picture, "-itsoffset", "0.7", ...sound],
    options: [...SHORT_GOPS, ...AAC],
    renditions: KEPT,
  },
  "sound that begins early": {
    file: "early.mkv",
    inputs: ({ picture, sound }) => ["-itsoffset", "0.7", ...picture, ...sound],
    options: [...SHORT_GOPS, ...AAC],
    renditions: KEPT,
  },
  "sound alone, as M4A": {
    file: "sound.m4a",
    inputs: ({ sound }) => sound,
    options: AAC,
    renditions: ["audio_source"],
  },
  "sound alone, as MP3 in Matroska": {
    file: "mp3.mka",
    inputs: ({ sound }) => sound,
    options: ["-c:a", "libmp3lame", "-f", "matroska"],
    renditions: ["audio_aac_96", "audio_aac_48"],
  },
  "sound alone, as FLAC in Matroska": {
    file: "flac.mka",
    inputs: ({ sound }) => sound,
    options: ["-c:a", "flac", "-f", "matroska"],
    renditions: ["audio_aac_96", "audio_aac_48", "audio_source"],
  },
  "a picture alone": {
    file: "silent.mov",
    inputs: ({ picture }) => picture,
    options: SHORT_GOPS,
    renditions: ["source"],
  },
  "the rate of American television": {
    file: "ntsc.mkv",
    source: { rate: "30000/1001" },
    options: [...x264("-g", "30", "-bf", "2"), ...AAC],
    renditions: KEPT,
    check: ({ presentation }) => assert.deepEqual(attributes(presentation, "FRAME-RATE"), ["29.970"]),
  },
  "interlaced pictures": {
    file: "interlaced.mp4",
    source: { size: "160x96" },
    options: [...x264("-flags", "+ildct+ilme", "-x264-params", "tff=1"), ...AAC],
    renditions: ["240p", "audio_source"],
  },
  "a clock that begins after a day": {
    file: "day.mkv",
    options: [...SHORT_GOPS, ...AAC, "-output_ts_offset", "86400.5"],
    renditions: KEPT,
  },
  "a clock that begins before zero": {
    file: "before.mov",
    options: [...SHORT_GOPS, ...AAC, "-avoid_negative_ts", "disabled", "-output_ts_offset", "-1"],
    renditions: KEPT,
  },
  "an edit list that begins within a group of pictures": {
    file: "edited.mp4",
    options: [...SHORT_GOPS, ...AAC],
    remake: { before: ["-ss", "0.3"] },
    renditions: ["240p", "audio_source"],
  },
  "VP9 and Opus in WebM": {
    file: "vp9.webm",
    options: ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"],
    renditions: ["240p", "audio_aac_48", "audio_source"],
  },
};

function attributes({ multivariant }: ReadPresentation, name: string): (string | undefined)[] {
  return multivariant.variants.map((variant) => variant.attributes.get(name));
}

async function writeShape({ file, source, inputs, options, remake }: Shape): Promise<string> {
  const made = flashes(source);
  const given = inputs?.(made) ?? [...made.picture, ...made.sound];
  const path = await writeSource(...given, ...options, at(remake ? `made-${file}` : file));
  if (!remake) return path;
  const { before = [], after = [] } = remake;
  return writeSource(...before, "-i", path, "-c", "copy", ...after, at(file));
}

/** The words of the first flash are shown from then on. */
async function checkWords({ presentation, hlsUrl }: Seen): Promise<void> {
  const text = presentation.multivariant.media.find((media) => media.get("TYPE") === "SUBTITLES");
  assert.ok(text);
  const playlistUrl = new URL(text.get("URI")?.replaceAll('"', "") ?? "", hlsUrl);
  const name = (await (await fetch(playlistUrl)).text()).split("\n").find((line) => line.endsWith(".vtt"));
  const answer = await fetch(new URL(name ?? "", playlistUrl));
  assert.match(answer.headers.get("content-type") ?? "", /^text\/vtt/);
  assert.match(await answer.text(), /^WEBVTT\n[\s\S]*00:00:03\.000 --> 00:00:04\.000\nWhite & <i>loud<\/i>\n/);
}

function fileOf(name: string, { id, segments }: ReadRendition): Promise<string> {
  const path = at(`${name}.${id}.mp4`);
  const bytes = [segments[0]?.init ?? new Uint8Array(), ...segments.map((segment) => segment.bytes)];
  return writeFile(path, Buffer.concat(bytes)).then(() => path);
}

const isVideo = ({ segments }: ReadRendition) => segments[0]?.track.format.kind === "video";

describe("a video is whole and in step that has", { concurrency: 3 }, () => {
  let server: Headwater;
  before(async () => {
    await writeFile(at("words.srt"), "1\n00:00:03,000 --> 00:00:04,000\nWhite & <i>loud</i>\n");
    server = await startHeadwater({ settings: SHORT });
  });
  after(() => server?.[Symbol.asyncDispose]());

  for (const [what, shape] of Object.entries(SHAPES)) {
    test(what, { timeout: 300_000 }, async () => {
      const path = await writeShape(shape);
      const film = await uploadFilm(server, path);
      const video = await film.until(["ready"], soon(240));
      const presentation = await readPresentation(film.hlsUrl);
      const all = [...presentation.renditions.values()];
      assert.deepEqual(all.map(({ id }) => id).sort(), [...shape.renditions].sort(), JSON.stringify(video));
      await assertSame(shape.file, all, path);
      await shape.check?.({ presentation, hlsUrl: film.hlsUrl });
    });
  }
});

/** Every picture and every beep is where it is in the source, as ffmpeg shows both, on one clock for all renditions. */
async function assertSame(name: string, all: readonly ReadRendition[], source: string): Promise<void> {
  const [video, audio] = [all.filter(isVideo), all.filter((each) => !isVideo(each))];
  const pictures = video.length > 0 ? await readPictures(source) : undefined;
  let zeroS = 0;
  for (const each of video) {
    const made = await readPictures(await fileOf(name, each));
    zeroS = startS(each);
    assertSeamless(each, zeroS);
    assertSamePictures(each.id, made, zeroS, pictures);
  }
  const beeps = audio.length > 0 ? await readBeeps(source, pictures?.timesS[0]) : [];
  for (const each of audio) {
    assertSeamless(each, zeroS);
    assertInStep(each.id, await readBeeps(await fileOf(name, each), zeroS), beeps);
  }
}

/** When its first unit is presented, on its own clock. */
function startS({ segments }: ReadRendition): number {
  const [first] = segments;
  const [sample] = first?.samples ?? [];
  assert.ok(first && sample);
  return (sample.dts + sample.cts) / first.track.timescale;
}

/** Sound that is kept as it came may begin with its first unit, so late. */
const LATEST_START_S = 0.1;

/** Decode times go through, and the playlist says how long each segment lasts. */
function assertSeamless(rendition: ReadRendition, zeroS: number): void {
  const { id, segments, playlist } = rendition;
  let end = segments[0]?.samples[0]?.dts;
  const lateS = startS(rendition) - zeroS;
  assert.ok(lateS > -0.0001 && lateS <= LATEST_START_S, `${id} begins ${lateS} s late`);
  assert.ok(playlist.isEnded && playlist.playlistType === "VOD", id);
  for (const { samples, track, msn, durationS } of segments) {
    assert.equal(samples[0]?.dts, end, `${id}: segment ${msn} follows the one before`);
    const length = samples.reduce((sum, { duration }) => sum + duration, 0);
    assert.ok(
      Math.abs(length / track.timescale - durationS) < 0.0001,
      `${id}: segment ${msn} lasts as long as it says`,
    );
    end = (end ?? 0) + length;
  }
}

function assertSamePictures(id: string, made: ShownPictures, zeroS: number, source: ShownPictures | undefined): void {
  assert.ok(source && source.flashesS.length > 0, "the source shows flashes");
  assert.equal(made.complaints, "", id);
  assert.equal(made.timesS.length, source.timesS.length, `${id}: pictures`);
  const firstS = made.timesS[0] ?? 0;
  // What a variable rate holds back longer than usual, ffmpeg shows later.
  assert.ok(Math.abs(firstS - zeroS) < IN_STEP_S, `${id}: the first picture is ${(firstS - zeroS) * 1000} ms off`);
  const onClock = (timeS: number) => timeS - (source.timesS[0] ?? 0) + firstS;
  for (const [index, timeS] of source.timesS.entries()) {
    const offS = (made.timesS[index] ?? 0) - onClock(timeS);
    assert.ok(Math.abs(offS) < SAME_INSTANT_S, `${id}: picture ${index} is ${offS * 1000} ms off`);
  }
  const [shown, expected] = [made.flashesS, source.flashesS.map(onClock)];
  assert.equal(shown.length, expected.length, `${id}: flashes at ${shown}, not ${expected}`);
  for (const [index, timeS] of expected.entries()) {
    assert.ok(Math.abs((shown[index] ?? 0) - timeS) < SAME_INSTANT_S, `${id}: flashes at ${shown}, not ${expected}`);
  }
}

function assertInStep(id: string, heard: readonly number[], expected: readonly number[]): void {
  assert.ok(expected.length > 0, "the source beeps");
  assert.equal(heard.length, expected.length, `${id}: beeps at ${heard}, not ${expected}`);
  for (const [index, timeS] of expected.entries()) {
    const offS = (heard[index] ?? 0) - timeS;
    assert.ok(Math.abs(offS) < IN_STEP_S, `${id}: the beep at ${timeS} s is ${offS * 1000} ms off`);
  }
}
