import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RecordedPublication } from "../../../test/support/recording-gate.ts";
import { AAC_48K, H264_360P, H264_720P } from "../../../test/support/source-units.ts";
import { DomainError } from "../../core/errors.ts";
import { encodeAmf0 } from "../../media/amf0.ts";
import { encoderOf, RtmpToLive } from "./to-live.ts";

const AVC_CONFIG = Buffer.concat([Buffer.from("1700000000", "hex"), H264_360P.config]);
const AAC_CONFIG = Buffer.concat([Buffer.from("af00", "hex"), AAC_48K.config]);
const KEY_FRAME = Buffer.from("000000026588", "hex");
const OTHER_FRAME = Buffer.from("00000002419a", "hex");

const avcFrame = (ctsMs: number, data = OTHER_FRAME, isKey = false) => {
  const header = Buffer.from([isKey ? 0x17 : 0x27, 1, 0, 0, 0]);
  header.writeIntBE(ctsMs, 2, 3);
  return Buffer.concat([header, data]);
};
const aacFrame = (text: string) => Buffer.concat([Buffer.from("af01", "hex"), Buffer.from(text)]);
const exVideo = (packetType: number, ...rest: (string | Buffer)[]) =>
  Buffer.concat([
    Buffer.of(0x90 | packetType),
    ...rest.map((part) => (typeof part === "string" ? Buffer.from(part, "hex") : part)),
  ]);
const fourCc = (text: string) => Buffer.from(text, "latin1");

function start(): { publication: RecordedPublication; live: RtmpToLive } {
  const publication = new RecordedPublication();
  return { publication, live: new RtmpToLive(publication) };
}

test("keeps decode times and composition offsets as they came", () => {
  const { publication, live } = start();
  live.writeVideo(0, AVC_CONFIG);
  live.writeAudio(0, AAC_CONFIG);
  live.writeVideo(40, avcFrame(80, KEY_FRAME, true));
  live.writeAudio(43, aacFrame("sound"));
  live.writeVideo(80, avcFrame(-40));
  assert.deepEqual(
    publication.formats.map(({ codecString }) => codecString),
    ["avc1.64001e", "mp4a.40.2"],
  );
  assert.deepEqual(publication.units, [
    { kind: "video", timescale: 1000, dts: 40, cts: 80, isKey: true, data: KEY_FRAME },
    { kind: "audio", timescale: 1000, dts: 43, cts: 0, isKey: true, data: Buffer.from("sound") },
    { kind: "video", timescale: 1000, dts: 80, cts: -40, isKey: false, data: OTHER_FRAME },
  ]);
});

test("tells a format once however often its sequence header is repeated, and tells a new one", () => {
  const { publication, live } = start();
  live.writeVideo(0, AVC_CONFIG);
  live.writeVideo(10, AVC_CONFIG);
  live.writeVideo(20, Buffer.concat([Buffer.from("1700000000", "hex"), H264_720P.config]));
  assert.deepEqual(
    publication.formats.map((format) => format.kind === "video" && format.height),
    [360, 720],
  );
});

test("drops and counts frames that come before their configuration", () => {
  const { publication, live } = start();
  live.writeAudio(0, aacFrame("lost"));
  live.writeVideo(0, avcFrame(0, KEY_FRAME, true));
  live.writeAudio(1, AAC_CONFIG);
  live.writeAudio(2, aacFrame("kept"));
  assert.deepEqual(
    publication.units.map(({ dts }) => dts),
    [2],
  );
  assert.equal(live.droppedFrameCount, 2);
});

test("finds a key frame that the encoder does not call one", () => {
  const { publication, live } = start();
  live.writeVideo(0, AVC_CONFIG);
  live.writeVideo(40, avcFrame(0, KEY_FRAME, false));
  assert.equal(publication.units[0]?.isKey, true);
});

test("takes an empty audio message for silence", () => {
  const { publication, live } = start();
  live.writeAudio(0, Buffer.alloc(0));
  live.writeAudio(0, AAC_CONFIG);
  live.writeAudio(5, Buffer.from("af01", "hex"));
  assert.equal(publication.units.length, 0);
  assert.equal(live.droppedFrameCount, 0);
});

test("goes over to nanoseconds for both media when an offset comes", () => {
  const { publication, live } = start();
  live.writeVideo(0, exVideo(0, fourCc("avc1"), Buffer.from(H264_360P.config)));
  live.writeAudio(0, AAC_CONFIG);
  live.writeAudio(20, aacFrame("before"));
  // ModEx: three bytes of data, then extension type 0 before packet type 3 (coded frames without an offset).
  live.writeVideo(33, exVideo(7, "02", "0515b5", "03", fourCc("avc1"), KEY_FRAME));
  live.writeAudio(41, aacFrame("after"));
  assert.deepEqual(
    publication.units.map(({ kind, timescale, dts }) => [kind, timescale, dts]),
    [
      ["audio", 1000, 20],
      ["video", 1_000_000_000, 33_333_237],
      ["audio", 1_000_000_000, 41_000_000],
    ],
  );
});

test("takes the default track of a multitrack stream, or the lowest there is", () => {
  const track = (id: number, body: Buffer) => {
    const header = Buffer.from([id, 0, 0, 0]);
    header.writeUIntBE(body.length, 1, 3);
    return Buffer.concat([header, body]);
  };
  const config = (id: number, format: typeof H264_360P) => track(id, Buffer.from(format.config));
  const { publication, live } = start();
  live.writeVideo(0, exVideo(6, "10", fourCc("avc1"), config(1, H264_720P), config(2, H264_720P)));
  live.writeVideo(40, exVideo(6, "13", fourCc("avc1"), track(1, KEY_FRAME), track(2, OTHER_FRAME)));
  assert.equal(publication.units.length, 1);
  assert.deepEqual(publication.units[0]?.data, KEY_FRAME);
  live.writeVideo(80, AVC_CONFIG);
  live.writeVideo(80, avcFrame(0, KEY_FRAME, true));
  live.writeVideo(90, exVideo(6, "13", fourCc("avc1"), track(1, KEY_FRAME)));
  assert.deepEqual(
    publication.units.map(({ dts }) => dts),
    [40, 80],
  );
});

test("reads formats of codecs that tell theirs in frames", () => {
  const { publication, live } = start();
  const mp3 = Buffer.from("fffb9064", "hex");
  live.writeAudio(0, Buffer.concat([Buffer.of(0x2f), mp3, Buffer.alloc(413)]));
  assert.deepEqual(
    publication.formats.map((format) => format.kind === "audio" && [format.codec, format.sampleRateHz]),
    [["mp3", 44_100]],
  );
  assert.equal(publication.units.length, 1);
});

test("completes an empty Opus header by a multichannel message", () => {
  const { publication, live } = start();
  live.writeAudio(0, Buffer.concat([Buffer.of(0x90), fourCc("Opus")]));
  live.writeAudio(0, Buffer.concat([Buffer.of(0x94), fourCc("Opus"), Buffer.from("010100000004", "hex")]));
  assert.deepEqual(
    publication.formats.map((format) => format.kind === "audio" && format.channelCount),
    [2, 1],
  );
});

for (const [what, body] of [
  ["Sorenson H.263", "22000000"],
  ["VVC", "907676633100"],
] as const) {
  test(`refuses ${what}`, () => {
    const { live } = start();
    assert.throws(
      () => live.writeVideo(0, Buffer.from(body, "hex")),
      (error) => error instanceof DomainError && error.code === "UNSUPPORTED_CODEC",
    );
  });
}

test("keeps time whatever time sequence headers and silence claim", () => {
  const { publication, live } = start();
  live.writeVideo(0, AVC_CONFIG);
  live.writeVideo(2 ** 24 - 20, avcFrame(0, KEY_FRAME, true));
  live.writeVideo(0, AVC_CONFIG);
  live.writeAudio(0, Buffer.alloc(0));
  live.writeVideo(2 ** 24 + 20, avcFrame(0));
  assert.deepEqual(
    publication.units.map(({ dts }) => dts),
    [2 ** 24 - 20, 2 ** 24 + 20],
  );
});

test("takes colour from metadata when the stream does not say, whichever comes first", () => {
  const config = { bitDepth: 10, colorPrimaries: 9, transferCharacteristics: 16, matrixCoefficients: 9 };
  const metadata = exVideo(4, fourCc("avc1"), Buffer.from(encodeAmf0("colorInfo", { colorConfig: config })));
  const sequence = exVideo(0, fourCc("avc1"), Buffer.from(H264_360P.config));
  const hdr = { primaries: 9, transfer: 16, matrix: 9, isFullRange: false };
  for (const [messages, expected] of [
    [[metadata, sequence], [hdr]],
    [
      [sequence, metadata, AVC_CONFIG],
      [undefined, hdr],
    ],
    [[sequence, exVideo(4, fourCc("avc1"), Buffer.from(encodeAmf0("colorInfo", { colorConfig: {} })))], [undefined]],
  ] as const) {
    const { publication, live } = start();
    for (const message of messages) live.writeVideo(0, message);
    assert.deepEqual(
      publication.formats.map((format) => format.kind === "video" && format.colour),
      expected,
    );
  }
});

test("takes bit rates from metadata, in kbit/s or in bit/s, when they can be true", () => {
  const { publication, live } = start();
  live.writeMetadata({ width: 1920, videodatarate: 2500, audiocodecid: 10, audiodatarate: 128.5 });
  live.writeMetadata({ width: 1920, videodatarate: 2_500_000, audiodatarate: 96_000 });
  live.writeMetadata({ width: 1920, videodatarate: 0, audiocodecid: 10, audiodatarate: -1 });
  live.writeMetadata({ width: 1920, videodatarate: Number.NaN, audiocodecid: 10, audiodatarate: "high" });
  const both = { video: true, audio: true };
  assert.deepEqual(publication.expected, [
    { ...both, videoBps: 2_500_000, audioBps: 128_500 },
    { ...both, videoBps: 2_500_000, audioBps: 96_000 },
    both,
    both,
  ]);
});

test("believes of metadata only which media come, and the encoder's name", () => {
  const { publication, live } = start();
  live.writeMetadata({ videocodecid: 7, audiocodecid: "mp4a" });
  live.writeMetadata({ audiosamplerate: 44_100, width: 0 });
  live.writeMetadata({ width: 1920 });
  live.writeMetadata({ duration: 5 });
  live.writeMetadata(null);
  assert.deepEqual(publication.expected, [
    { video: true, audio: true },
    { video: false, audio: true },
    { video: true, audio: false },
  ]);
  assert.equal(encoderOf({ encoder: "Lavf59" }), "Lavf59");
  assert.equal(encoderOf({ encoder: 5 }), undefined);
});

test("ends damaged media messages with a DomainError and nothing else", () => {
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc
      .tuple(
        fc.constantFrom(AVC_CONFIG, AAC_CONFIG, avcFrame(0), aacFrame("x"), exVideo(0, fourCc("hvc1"), "01020304")),
        fc.array(fc.tuple(fc.nat(70), fc.nat(255)), { maxLength: 4 }),
      )
      .map(([bytes, changes]) => {
        const damaged = Uint8Array.from(bytes);
        for (const [at, value] of changes) damaged[at % damaged.length] = value;
        return damaged;
      }),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(), body)), (messages) => {
      const { live } = start();
      try {
        for (const [isVideo, timestamp, bytes] of messages) {
          if (isVideo) live.writeVideo(timestamp, bytes);
          else live.writeAudio(timestamp, bytes);
        }
      } catch (error) {
        assert.ok(error instanceof DomainError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});
