import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  AUDIO_ENCODERS,
  type EncodedTrack,
  encodeAudio,
  encodeVideo,
  VIDEO_ENCODERS,
} from "../../test/support/encoded-track.ts";
import { ffmpegOutput } from "../../test/support/ffmpeg-output.ts";
import { MalformedInput } from "../core/errors.ts";
import { decodeAmf0, encodeAmf0 } from "./amf0.ts";
import { decodeAmf3 } from "./amf3.ts";
import { CmafReader } from "./cmaf/reader.ts";
import { readAacConfig } from "./codecs/aac.ts";
import { readAc3Config, readAc3Frame, readEac3Config } from "./codecs/ac3.ts";
import { isAv1KeyFrame, readAv1Config, stripTemporalDelimiters } from "./codecs/av1.ts";
import { flacFrameSamples, readDfla, readFlacConfig } from "./codecs/flac.ts";
import { avcNalLengthSize, isH264KeyFrame, readAvcConfig } from "./codecs/h264.ts";
import { hevcNalLengthSize, isHevcKeyFrame, readHevcConfig } from "./codecs/hevc.ts";
import { readMp3Frame } from "./codecs/mp3.ts";
import { opusPacketSamples, readOpusConfig, readOpusHead } from "./codecs/opus.ts";
import { readVp9KeyFrame, vp9Format } from "./codecs/vp9.ts";
import { parseAudioTag, parseVideoTag } from "./flv.ts";
import { type Box, readBoxes } from "./isobmff/box.ts";
import { readEsds } from "./isobmff/esds.ts";

/** Far above what any input of this size needs, far below what a count that is believed would take. */
const LONGEST_MS = 2000;
/** For every parser. Forty times as many found nothing more. */
const RUNS = 1500;
const SMALL_FRAGMENTS_BYTES = 1 << 20;

interface Parser {
  parse(bytes: Uint8Array): unknown;
  /** Valid inputs to be broken. */
  readonly seeds: readonly Uint8Array[];
}

const [h264, hevc, av1, vp9] = await Promise.all(
  Object.entries(VIDEO_ENCODERS).map(([encoder, options]) => encodeVideo(encoder, ...options)),
);
const [aac, opus, flac, ac3, eac3, mp3] = await Promise.all(AUDIO_ENCODERS.map((encoder) => encodeAudio(encoder)));
const edited = await ffmpegOutput(
  ...["-f", "lavfi", "-i", "sine=duration=0.1", "-c:a", "aac"],
  ...["-movflags", "+frag_keyframe+delay_moov", "-f", "mp4", "-"],
);

function config(encoded: EncodedTrack | undefined): Uint8Array {
  return encoded?.track.format.config ?? new Uint8Array(0);
}

/** Its three smallest frames, which breaks land in more often. */
function frames(encoded: EncodedTrack | undefined): Uint8Array[] {
  const all = (encoded?.samples ?? []).map(({ data }) => data);
  return all.sort((a, b) => a.length - b.length).slice(0, 3);
}

function tag(head: string, body: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(head, "latin1"), body]);
}

const OPUS_HEAD = Buffer.from("OpusHead\x01\x03\x38\x01\x80\xbb\0\0\0\0\x01\x02\x01\0\x02\x01", "latin1");

/** The header and the first fragments of what ffmpeg wrote, whole. */
const FRAGMENTED = [h264, hevc, av1, vp9, aac, opus, flac, ac3, eac3, mp3].map((encoded) =>
  start(encoded?.mp4 ?? edited),
);

function start(mp4: Uint8Array): Uint8Array {
  const boxes = readBoxes(mp4).filter(({ type }) => ["moov", "moof", "mdat"].includes(type));
  return Buffer.concat(boxes.slice(0, 5).map(boxBytes));
}

function boxBytes({ type, body }: Pick<Box, "type" | "body">): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(8 + body.length);
  head.write(type, 4, "latin1");
  return Buffer.concat([head, body]);
}

function parseMp4(bytes: Uint8Array): unknown {
  return new CmafReader({ limitBytes: SMALL_FRAGMENTS_BYTES }).push(bytes);
}

const PARSERS: Readonly<Record<string, Parser>> = {
  avcC: { parse: (bytes) => [readAvcConfig(bytes), avcNalLengthSize(bytes)], seeds: [config(h264)] },
  hvcC: { parse: (bytes) => [readHevcConfig(bytes), hevcNalLengthSize(bytes)], seeds: [config(hevc)] },
  av1C: { parse: readAv1Config, seeds: [config(av1)] },
  vpcC: { parse: (bytes) => vp9Format(bytes, { width: 1, height: 1 }), seeds: [config(vp9)] },
  "H.264 frame": { parse: (bytes) => isH264KeyFrame(bytes, 4), seeds: frames(h264) },
  "H.265 frame": { parse: (bytes) => isHevcKeyFrame(bytes, 4), seeds: frames(hevc) },
  "AV1 frame": { parse: (bytes) => [isAv1KeyFrame(bytes), stripTemporalDelimiters(bytes)], seeds: frames(av1) },
  "VP9 frame": { parse: readVp9KeyFrame, seeds: frames(vp9) },
  AudioSpecificConfig: { parse: readAacConfig, seeds: [config(aac), Buffer.from("13105688", "hex")] },
  OpusHead: { parse: (bytes) => readOpusHead(bytes), seeds: [OPUS_HEAD] },
  dOps: { parse: readOpusConfig, seeds: [config(opus), readOpusHead(OPUS_HEAD).config] },
  "Opus packet": { parse: opusPacketSamples, seeds: frames(opus) },
  "FLAC header": { parse: readFlacConfig, seeds: [config(flac).subarray(8), tag("fLaC", config(flac).subarray(4))] },
  dfLa: { parse: readDfla, seeds: [config(flac)] },
  "FLAC frame": { parse: flacFrameSamples, seeds: frames(flac) },
  "AC-3 frame": {
    parse: readAc3Frame,
    seeds: [...frames(ac3), ...(eac3?.samples ?? []).slice(0, 1).map(({ data }) => data)],
  },
  dac3: { parse: readAc3Config, seeds: [config(ac3)] },
  dec3: { parse: readEac3Config, seeds: [config(eac3)] },
  "MP3 frame": { parse: readMp3Frame, seeds: frames(mp3) },
  esds: { parse: readEsds, seeds: [esdsOf(aac), esdsOf(mp3)] },
  "fragmented MP4": { parse: parseMp4, seeds: FRAGMENTED },
  "FLV video": {
    parse: parseVideoTag,
    seeds: [
      tag("\x17\0\0\0\0", config(h264)),
      tag("\x91hvc1\0\0\0", Buffer.alloc(20)),
      tag("\x96\x11avc1\0\0\0\x04\0\0\0\xaa\x01\0\0\x04\0\0\0\xbb", Buffer.alloc(0)),
      tag("\x97\x02\0\0\x01\x03avc1", Buffer.alloc(9)),
    ],
  },
  "FLV audio": {
    parse: parseAudioTag,
    seeds: [
      tag("\xaf\0", config(aac)),
      tag("\x90Opus", OPUS_HEAD),
      tag("\x94Opus\x02\x02\0\x01", Buffer.alloc(0)),
      tag("\x95\x20Opus\0\0\0\x01\xaamp4a\x01\0\0\x02\x11\x90", Buffer.alloc(0)),
      tag("\x97\x02\0\0\x01\x01fLaC", Buffer.alloc(9)),
    ],
  },
  AMF0: {
    parse: decodeAmf0,
    seeds: [
      encodeAmf0("connect", 1, { app: "live", list: [1, { a: null }], at: new Date(0) }),
      Buffer.from("0800000002000161110a0b01037804010100016205000009", "hex"),
    ],
  },
  AMF3: {
    parse: decodeAmf3,
    seeds: [
      Buffer.from("0a1b0b506f696e74037804010379040201", "hex"),
      Buffer.from("09050104010311030006076b657904050d0500ffffffff00000002", "hex"),
    ],
  },
};

/** The body of `esds` within what ffmpeg wrote. */
function esdsOf(encoded: EncodedTrack | undefined): Uint8Array {
  const mp4 = encoded?.mp4 ?? edited;
  const at = mp4.indexOf("esds", 0, "latin1");
  return mp4.subarray(at + 4, at - 4 + mp4.readUInt32BE(at - 4));
}

type Change = (bytes: Uint8Array) => Uint8Array;

/** One thing that goes wrong on the way: a changed byte, a huge number, a cut, a part that is missing or twice there. */
const change: fc.Arbitrary<Change> = fc
  .record({
    how: fc.constantFrom("byte", "huge", "zero", "cut", "drop", "repeat"),
    where: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    length: fc.integer({ min: 1, max: 16 }),
    byte: fc.integer({ min: 0, max: 255 }),
  })
  .map(({ how, where, length, byte }) => (bytes) => {
    const at = Math.floor(where * bytes.length);
    const [before, part, after] = [bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at + length)];
    if (how === "cut") return before;
    if (how === "drop") return Buffer.concat([before, after]);
    if (how === "repeat") return Buffer.concat([before, part, part, after]);
    const fill = {
      byte: part.map((old, i) => (i === 0 ? byte : old)),
      huge: part.map(() => 0xff),
      zero: part.map(() => 0),
    };
    return Buffer.concat([before, fill[how as keyof typeof fill], after]);
  });

function assertHarmless(parse: Parser["parse"], bytes: Uint8Array): void {
  const before = process.threadCpuUsage();
  try {
    parse(bytes);
  } catch (error) {
    if (!(error instanceof MalformedInput)) throw error;
  }
  const { user, system } = process.threadCpuUsage(before);
  assert.ok((user + system) / 1000 < LONGEST_MS, "takes too long");
}

for (const [name, { parse, seeds }] of Object.entries(PARSERS)) {
  test(`survives anything as ${name}`, () => {
    for (const seed of seeds) {
      assert.ok(seed.length > 0);
      parse(seed); // is valid to begin with
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => assertHarmless(parse, bytes)),
      { numRuns: RUNS / 5 },
    );
    const broken = fc
      .tuple(fc.constantFrom(...seeds), fc.array(change, { minLength: 1, maxLength: 6 }))
      .map(([seed, changes]) => changes.reduce((bytes, apply) => apply(bytes), seed));
    fc.assert(
      fc.property(broken, (bytes) => assertHarmless(parse, bytes)),
      { numRuns: RUNS },
    );
  });
}

/** Bytes of its own before the boxes inside: `stsd` and the sample entries have fields first. */
const FIELDS_BEFORE_CHILDREN: Readonly<Record<string, number>> = {
  ...Object.fromEntries(
    ["moov", "trak", "mdia", "minf", "stbl", "mvex", "edts", "moof", "traf"].map((type) => [type, 0]),
  ),
  stsd: 8,
  ...Object.fromEntries(["avc1", "hvc1", "av01", "vp09"].map((type) => [type, 78])),
  ...Object.fromEntries(["mp4a", "Opus", "fLaC", "ac-3", "ec-3"].map((type) => [type, 28])),
};

/** The boxes with the content of one of them, anywhere in the tree, changed, and all sizes around it right. */
function changeOneBox(bytes: Uint8Array, pick: () => number, apply: Change): Buffer {
  const boxes = readBoxes(bytes);
  const chosen = Math.floor(pick() * boxes.length);
  const changed = boxes.map((box, i) => {
    if (i !== chosen) return boxBytes(box);
    const fieldsBytes = FIELDS_BEFORE_CHILDREN[box.type];
    if (fieldsBytes === undefined) return boxBytes({ type: box.type, body: apply(box.body) });
    const children = changeOneBox(box.body.subarray(fieldsBytes), pick, apply);
    return boxBytes({ type: box.type, body: Buffer.concat([box.body.subarray(0, fieldsBytes), children]) });
  });
  return Buffer.concat(changed);
}

test("survives fragmented MP4 whose boxes fit each other while their contents do not", () => {
  const picks = fc.array(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), {
    minLength: 12,
    maxLength: 12,
  });
  const broken = fc.tuple(fc.constantFrom(...FRAGMENTED, edited), picks, change).map(([seed, choices, apply]) => {
    const rest = [...choices];
    return changeOneBox(seed, () => rest.pop() ?? 0, apply);
  });
  fc.assert(
    fc.property(broken, (bytes) => assertHarmless(parseMp4, bytes)),
    { numRuns: 3 * RUNS },
  );
});
