import assert from "node:assert/strict";
import { test } from "node:test";
import { AV_LOG_ERROR, Log } from "node-av";
import { Demuxer, Muxer } from "node-av/api";
import { ffmpegOutput, ffprobeJson } from "../../test/support/ffmpeg-output.ts";
import { MalformedInput } from "../core/errors.ts";
import { readAacConfig } from "./codecs/aac.ts";
import { readAc3Frame } from "./codecs/ac3.ts";
import { isAv1KeyFrame, readAv1Config } from "./codecs/av1.ts";
import { flacFrameSamples, readFlacConfig } from "./codecs/flac.ts";
import { avcNalLengthSize, isH264KeyFrame, readAvcConfig } from "./codecs/h264.ts";
import { hevcNalLengthSize, isHevcKeyFrame, readHevcConfig } from "./codecs/hevc.ts";
import { readMp3Frame } from "./codecs/mp3.ts";
import { opusPacketSamples, readOpusHead } from "./codecs/opus.ts";
import { readVp9KeyFrame, vp9Format } from "./codecs/vp9.ts";
import { type FlvAudioMessage, type FlvFrames, type FlvVideoMessage, parseAudioTag, parseVideoTag } from "./flv.ts";
import type { MediaFormat } from "./format.ts";

// Its warnings are of Matroska's missing decode times, and of nothing that is tested here.
Log.setLevel(AV_LOG_ERROR);

const FLV_HEADER_BYTES = 13;
const TAG_HEADER_BYTES = 11;
const PREVIOUS_SIZE_BYTES = 4;

interface Tag<Message> {
  readonly timestampMs: number;
  readonly message: Message;
}

interface FlvFile {
  readonly video: Tag<FlvVideoMessage>[];
  readonly audio: Tag<FlvAudioMessage>[];
}

function readFlv(file: Buffer): FlvFile {
  const read: FlvFile = { video: [], audio: [] };
  for (let at = FLV_HEADER_BYTES; at < file.length; ) {
    const length = file.readUIntBE(at + 1, 3);
    const timestampMs = (file.readUInt8(at + 7) << 24) | file.readUIntBE(at + 4, 3);
    const body = file.subarray(at + TAG_HEADER_BYTES, at + TAG_HEADER_BYTES + length);
    if (file[at] === 9) read.video.push(...parseVideoTag(body).map((message) => ({ timestampMs, message })));
    if (file[at] === 8) read.audio.push(...parseAudioTag(body).map((message) => ({ timestampMs, message })));
    at += TAG_HEADER_BYTES + length + PREVIOUS_SIZE_BYTES;
  }
  return read;
}

function framesOf<Codec>(
  tags: readonly Tag<FlvFrames<Codec> | { kind: string }>[],
): (FlvFrames<Codec> & { timestampMs: number })[] {
  return tags.flatMap(({ timestampMs, message }) => ("data" in message ? [{ ...message, timestampMs }] : []));
}

function configOf(tags: readonly Tag<FlvVideoMessage | FlvAudioMessage>[]): Uint8Array {
  for (const { message } of tags) if (message.kind === "sequence-start") return message.config;
  throw new Error("no sequence start");
}

const PICTURE = ["-f", "lavfi", "-i", "testsrc2=size=322x182:rate=25:duration=0.4"];
const TONE = ["-f", "lavfi", "-i", "sine=sample_rate=48000:duration=0.4,aformat=channel_layouts=stereo"];
const X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "5"];

/** ffmpeg 5.1 writes legacy FLV alone; FFmpeg 8, within node-av, writes Enhanced RTMP for what legacy FLV has no number for. */
async function enhancedFlv(...encoders: string[]): Promise<Buffer> {
  const source = await ffmpegOutput(...PICTURE, ...TONE, ...encoders, "-f", "matroska", "-");
  const written: Buffer[] = [];
  await using input = await Demuxer.open(source);
  await using output = await Muxer.open(
    { write: (bytes: Buffer) => written.push(Buffer.from(bytes)) && bytes.length },
    { input, format: "flv", options: { flvflags: "no_duration_filesize" } },
  );
  const indexes = new Map(input.streams.map((stream) => [stream.index, output.addStream(stream)]));
  for await (const packet of input.packets()) {
    if (packet) await output.writePacket(packet, indexes.get(packet.streamIndex) ?? 0);
  }
  await output.close();
  return Buffer.concat(written);
}

test("reads H.264 and AAC as ffmpeg writes them, frame by frame as ffprobe does", async () => {
  const file = await ffmpegOutput(...PICTURE, ...TONE, ...X264, "-c:a", "aac", "-f", "flv", "-");
  const { video, audio } = readFlv(file);
  const { packets } = (await ffprobeJson(file, "-show_packets")) as {
    packets: { codec_type: string; pts: number; dts: number; size: string; flags: string }[];
  };
  const probed = (type: string) =>
    packets
      .filter(({ codec_type }) => codec_type === type)
      .map(({ dts, pts, size, flags }) => [dts, pts, Number(size), flags[0] === "K"]);
  const ours = <Codec>(tags: readonly Tag<FlvFrames<Codec> | { kind: string }>[]) =>
    framesOf<Codec>(tags).map((f) => [f.timestampMs, f.timestampMs + f.ctsMs, f.data.length, f.isKey]);
  assert.deepEqual(ours(video), probed("video"));
  assert.deepEqual(ours(audio), probed("audio"));

  const avcC = configOf(video);
  assert.equal(readAvcConfig(avcC).width, 322);
  for (const { data, isKey } of framesOf(video)) assert.equal(isH264KeyFrame(data, avcNalLengthSize(avcC)), isKey);
  assert.equal(readAacConfig(configOf(audio)).codecString, "mp4a.40.2");
  assert.equal(video.at(-1)?.message.kind, "sequence-end");
});

test("reads MP3, which has no configuration, as ffmpeg writes it", async () => {
  const { audio } = readFlv(await ffmpegOutput(...TONE, "-c:a", "libmp3lame", "-ar", "44100", "-f", "flv", "-"));
  const frames = framesOf(audio);
  assert.ok(frames.length > 5);
  for (const { data } of frames) assert.equal(readMp3Frame(data).sampleRateHz, 44_100);
});

interface Enhanced {
  readonly encoders: readonly string[];
  videoFormat(tags: readonly Tag<FlvVideoMessage>[]): MediaFormat;
  isKey(data: Uint8Array, config: Uint8Array): boolean;
  audioFormat(tags: readonly Tag<FlvAudioMessage>[]): MediaFormat;
}

function firstData(tags: readonly Tag<FlvVideoMessage | FlvAudioMessage>[]): Uint8Array {
  return framesOf(tags)[0]?.data ?? new Uint8Array(0);
}

const ENHANCED: Readonly<Record<string, Enhanced>> = {
  "HEVC and Opus": {
    encoders: ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none", "-c:a", "libopus"],
    videoFormat: (tags) => readHevcConfig(configOf(tags)),
    isKey: (data, config) => isHevcKeyFrame(data, hevcNalLengthSize(config)),
    audioFormat: (tags) => readOpusHead(configOf(tags)),
  },
  "AV1 and FLAC": {
    encoders: ["-c:v", "libsvtav1", "-preset", "12", "-c:a", "flac"],
    videoFormat: (tags) => readAv1Config(configOf(tags)),
    isKey: (data) => isAv1KeyFrame(data),
    audioFormat: (tags) => readFlacConfig(configOf(tags)),
  },
  "VP9 and AC-3": {
    encoders: ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "ac3"],
    videoFormat: (tags) => vp9Format(configOf(tags), readVp9KeyFrame(firstData(tags)) ?? assert.fail("no key frame")),
    isKey: (data) => readVp9KeyFrame(data) !== undefined,
    audioFormat: (tags) => readAc3Frame(firstData(tags)),
  },
  "H.264 and E-AC-3": {
    encoders: [...X264, "-c:a", "eac3"],
    videoFormat: (tags) => readAvcConfig(configOf(tags)),
    isKey: (data, config) => isH264KeyFrame(data, avcNalLengthSize(config)),
    audioFormat: (tags) => readAc3Frame(firstData(tags)),
  },
};

const CODECS: Readonly<Record<string, readonly [string, string]>> = {
  "HEVC and Opus": ["hevc", "opus"],
  "AV1 and FLAC": ["av1", "flac"],
  "VP9 and AC-3": ["vp9", "ac3"],
  "H.264 and E-AC-3": ["h264", "eac3"],
};

for (const [name, { encoders, videoFormat, isKey, audioFormat }] of Object.entries(ENHANCED)) {
  test(`reads Enhanced RTMP as FFmpeg 8 writes it: ${name}`, async () => {
    const { video, audio } = readFlv(await enhancedFlv(...encoders));
    const [videoCodec, audioCodec] = CODECS[name] ?? [];

    const picture = videoFormat(video);
    assert.ok(picture.kind === "video");
    assert.deepEqual([picture.codec, picture.width, picture.height], [videoCodec, 322, 182]);
    const sound = audioFormat(audio);
    assert.ok(sound.kind === "audio");
    assert.deepEqual([sound.codec, sound.sampleRateHz, sound.channelCount], [audioCodec, 48_000, 2]);

    const frames = framesOf(video);
    assert.equal(frames.length, 10);
    for (const frame of frames) {
      assert.equal(frame.codec, videoCodec);
      assert.equal(isKey(frame.data, picture.config), frame.isKey);
    }
    const sounds = framesOf(audio);
    assert.ok(sounds.length >= 4 && sounds.every(({ codec }) => codec === audioCodec));
    if (audioCodec === "opus") for (const { data } of sounds) assert.equal(opusPacketSamples(data), 960);
    if (audioCodec === "flac")
      assert.equal(
        sounds.reduce((sum, { data }) => sum + flacFrameSamples(data), 0),
        19_200,
      );
  });
}

/** A message from hex with spaces, and text in quotes for FourCCs. */
function message(text: string): Uint8Array {
  const hex = text.replaceAll(/'(.+?)'/g, (_, fourCc: string) => Buffer.from(fourCc, "latin1").toString("hex"));
  return Buffer.from(hex.replaceAll(" ", ""), "hex");
}

/** With data as hex, for comparison at a glance. */
function plain(messages: readonly object[]): object[] {
  const asHex = (value: unknown) => (value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value);
  return messages.map((one) => Object.fromEntries(Object.entries(one).map(([name, value]) => [name, asHex(value)])));
}

const video = (text: string) => plain(parseVideoTag(message(text)));
const audio = (text: string) => plain(parseAudioTag(message(text)));

const H264_FRAMES = { kind: "frames", codec: "h264", trackId: 0, isKey: true, ctsMs: 0, nanosecondOffset: 0 };
const OPUS_FRAMES = { kind: "frames", codec: "opus", trackId: 0, isKey: true, ctsMs: 0, nanosecondOffset: 0 };

test("reads legacy HEVC, which Chinese encoders number 12", () => {
  assert.deepEqual(video("1c 00 000000 01aa"), [{ kind: "sequence-start", codec: "hevc", trackId: 0, config: "01aa" }]);
  assert.deepEqual(video("2c 01 000001 bb"), [{ ...H264_FRAMES, codec: "hevc", isKey: false, ctsMs: 1, data: "bb" }]);
});

test("reads composition times as signed", () => {
  assert.deepEqual(video("27 01 ffffd7 aa"), [{ ...H264_FRAMES, isKey: false, ctsMs: -41, data: "aa" }]);
  assert.deepEqual(video("91 'hvc1' 800000 aa"), [{ ...H264_FRAMES, codec: "hevc", ctsMs: -8_388_608, data: "aa" }]);
  assert.deepEqual(video("93 'avc1' 800000 aa"), [{ ...H264_FRAMES, data: "800000aa" }], "CodedFramesX has none");
  assert.deepEqual(video("91 'av01' 800000 aa"), [{ ...H264_FRAMES, codec: "av1", data: "800000aa" }], "AV1 has none");
});

test("reads modifiers that stand before the packet type, nanoseconds among them", () => {
  assert.deepEqual(video("97 02 0f423f 03 'avc1' aa"), [{ ...H264_FRAMES, nanosecondOffset: 999_999, data: "aa" }]);
  assert.deepEqual(
    video(`97 00 ee 57 ff 0100 ${"00".repeat(257)} 57 02 000001 03 'avc1' aa`),
    [{ ...H264_FRAMES, nanosecondOffset: 1, data: "aa" }],
    "a chain, with unknown ones and one of 257 bytes",
  );
  assert.deepEqual(audio("97 02 0003e8 01 'Opus' aa"), [{ ...OPUS_FRAMES, nanosecondOffset: 1000, data: "aa" }]);
  assert.throws(() => video("97 02 0f4240 03 'avc1' aa"), /1000000 ns/);
  assert.throws(() => video("97 01 0001 03 'avc1' aa"), /cut off/);
});

test("reads one track, many tracks and many tracks of many codecs", () => {
  assert.deepEqual(video("96 03 'avc1' 05 aabb"), [{ ...H264_FRAMES, trackId: 5, data: "aabb" }]);
  assert.deepEqual(video("96 11 'avc1' 00 000004 000002aa 01 000005 ffffff bbcc"), [
    { ...H264_FRAMES, ctsMs: 2, data: "aa" },
    { ...H264_FRAMES, trackId: 1, ctsMs: -1, data: "bbcc" },
  ]);
  assert.deepEqual(audio("95 20 'Opus' 00 000001 aa 'mp4a' 01 000002 1190"), [
    { kind: "sequence-start", codec: "opus", trackId: 0, config: "aa" },
    { kind: "sequence-start", codec: "aac", trackId: 1, config: "1190" },
  ]);
  assert.deepEqual(audio("95 21 'Opus' 00 000001 aa 'vorb' 01 000001 bb"), [
    { ...OPUS_FRAMES, data: "aa" },
    { kind: "unsupported", codecName: "audio FourCC vorb" },
  ]);
});

test("refuses multitrack within multitrack, kinds of it that are not there, and tracks that reach past the end", () => {
  assert.throws(() => video("96 06 'avc1' 00 aa"), /multitrack within multitrack/);
  assert.throws(() => audio("95 35 'Opus' 00 aa"), MalformedInput);
  assert.throws(() => video("96 33 'avc1' 00 aa"), /multitrack type 3/);
  assert.throws(() => video("96 13 'avc1' 00 000002 aa"), MalformedInput);
  assert.throws(() => video(`96 13 'avc1' ${"00 000000".repeat(65)}`), /more than 64 tracks/);
});

test("reads how many channels there are", () => {
  assert.deepEqual(audio("94 'Opus' 01 06 0000003f"), [
    { kind: "multichannel", codec: "opus", trackId: 0, channelCount: 6 },
  ]);
  assert.deepEqual(audio("94 'fLaC' 02 02 0001"), [
    { kind: "multichannel", codec: "flac", trackId: 0, channelCount: 2 },
  ]);
  assert.throws(() => audio("94 'fLaC' 02 03 0001"), MalformedInput);
});

test("names codecs that it cannot take", () => {
  assert.deepEqual(video("91 'vvc1' aa"), [{ kind: "unsupported", codecName: "video FourCC vvc1" }]);
  assert.deepEqual(video("91 00010203 aa"), [{ kind: "unsupported", codecName: "video FourCC 0x00010203" }]);
  assert.deepEqual(video("14 aa"), [{ kind: "unsupported", codecName: "video codec id 4" }]);
  assert.deepEqual(audio("b2 aa"), [{ kind: "unsupported", codecName: "sound format 11" }]);
  assert.deepEqual(video("95 'av01' aa"), [{ kind: "unsupported", codecName: "MPEG-2 TS sequence start" }]);
});

test("passes over silence, commands and empty bodies", () => {
  assert.deepEqual(audio(""), [{ kind: "ignored", reason: "silence" }]);
  assert.deepEqual(audio("af"), [{ kind: "ignored", reason: "silence" }]);
  assert.deepEqual(audio("af 01"), [{ kind: "ignored", reason: "silence" }]);
  assert.deepEqual(audio("91 'Opus'"), [{ kind: "ignored", reason: "silence" }]);
  assert.deepEqual(video(""), [{ kind: "ignored", reason: "empty video message" }]);
  assert.deepEqual(video("17 01 000000"), [{ kind: "ignored", reason: "empty video message" }]);
  assert.deepEqual(video("57 00"), [{ kind: "ignored", reason: "video command" }]);
  assert.deepEqual(video("d1 00"), [{ kind: "ignored", reason: "video command" }]);
});

test("gives metadata and the end of a sequence as they are", () => {
  assert.deepEqual(video("d4 'hvc1' 020000"), [{ kind: "metadata", trackId: 0, value: "020000" }]);
  assert.deepEqual(video("92 'hvc1'"), [{ kind: "sequence-end", codec: "hevc", trackId: 0 }]);
  assert.deepEqual(audio("92 'ac-3'"), [{ kind: "sequence-end", codec: "ac3", trackId: 0 }]);
  assert.deepEqual(video("17 02 000000"), [{ kind: "sequence-end", codec: "h264", trackId: 0 }]);
});

test("refuses packet types that are not there, and headers that are cut off", () => {
  for (const text of ["17 03 000000 aa", "17 01 0000", "9f 'avc1' aa", "91 6176", "97 05", "98 'hvc1'"]) {
    assert.throws(() => video(text), MalformedInput, text);
  }
  for (const text of ["af 02 aa", "93 'Opus' aa", "91 4f70", "97"])
    assert.throws(() => audio(text), MalformedInput, text);
});
