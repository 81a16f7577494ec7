import assert from "node:assert/strict";
import { test } from "node:test";
import { ALL_FORMATS, BufferSource, Input } from "mediabunny";
import { createFile, MP4BoxBuffer } from "mp4box";
import {
  AUDIO_ENCODERS,
  type EncodedTrack,
  encodeAudio,
  encodeVideo,
  VIDEO_ENCODERS,
} from "../../../test/support/encoded-track.ts";
import { ffprobeJson } from "../../../test/support/ffmpeg-output.ts";
import { writeChunk } from "../cmaf/chunk.ts";
import { writeInitSegment } from "../cmaf/init-segment.ts";
import { CmafReader } from "../cmaf/reader.ts";

/** Our own header and chunks around what a real encoder made. */
function rewrite({ track, samples }: EncodedTrack): Uint8Array {
  const [first] = samples;
  assert.ok(first);
  const { trackId } = track;
  const chunk = writeChunk({ sequenceNumber: 1, trackId, baseDecodeTime: first.dts, samples, isSegmentStart: true });
  return Buffer.concat([writeInitSegment([track]), chunk.bytes]);
}

/** What mp4box says of the codec, or throws on boxes that it does not accept. */
function mp4boxCodec(file: Uint8Array): string {
  const box = createFile();
  let codec: string | undefined;
  box.onReady = (movie) => {
    codec = movie.tracks[0]?.codec;
  };
  box.onError = (module, message) => assert.fail(`${module}: ${message}`);
  box.appendBuffer(MP4BoxBuffer.fromArrayBuffer(new Uint8Array(file).buffer, 0));
  box.flush();
  assert.ok(codec);
  return codec;
}

async function mediabunnyTrack(file: Uint8Array): Promise<{ codecString: string | null; packetCount: number }> {
  using input = new Input({ source: new BufferSource(file), formats: ALL_FORMATS });
  const [track] = await input.getTracks();
  assert.ok(track);
  const { packetCount } = await track.computePacketStats();
  return { codecString: await track.getCodecParameterString(), packetCount };
}

/** The same codec under the name we use: peers differ in case, in optional fields, and in what they call MP3 and HEVC. */
function inOurWords(codec: string): string {
  return codec
    .toLowerCase()
    .replace(/^hev1/, "hvc1")
    .replace(/^(vp09\..*)\.01\.02\.02\.02\.00$/, "$1")
    .replace(/^(mp3|mp4a\.6b)$/, "mp4a.40.34");
}

const ENCODED: Readonly<Record<string, () => Promise<EncodedTrack>>> = {
  ...Object.fromEntries(
    Object.entries(VIDEO_ENCODERS).map(([name, options]) => [name, () => encodeVideo(name, ...options)]),
  ),
  ...Object.fromEntries(AUDIO_ENCODERS.map((name) => [name, () => encodeAudio(name)])),
};

for (const [name, encode] of Object.entries(ENCODED)) {
  test(`writes a sample entry that others understand: ${name}`, async () => {
    const encoded = await encode();
    const { format } = encoded.track;
    const file = rewrite(encoded);

    const events = new CmafReader().push(file);
    assert.deepEqual(events[0], { kind: "init", tracks: [encoded.track] }, "our reader");
    assert.deepEqual(events.slice(1), encoded.samples);

    const { streams } = (await ffprobeJson(file, "-show_streams", "-count_packets")) as {
      streams: { codec_name: string; nb_read_packets: string }[];
    };
    assert.equal(streams[0]?.codec_name, format.codec, "ffprobe");
    assert.equal(Number(streams[0]?.nb_read_packets), encoded.samples.length);

    const bunny = await mediabunnyTrack(file);
    assert.equal(bunny.packetCount, encoded.samples.length, "mediabunny");
    assert.equal(inOurWords(bunny.codecString ?? ""), format.codecString.toLowerCase());
    assert.equal(inOurWords(mp4boxCodec(file)), format.codecString.toLowerCase(), "mp4box");
  });
}
