import { ByteReader } from "./byte-reader.ts";
import type { AudioCodec, VideoCodec } from "./format.ts";

/** Tracks in one multitrack message; the id has eight bits, encoders send a handful. */
const MOST_TRACKS = 64;
const DEFAULT_TRACK = 0;
const NANOSECONDS_PER_MS = 1_000_000;

/** What one track of an FLV or RTMP media message says. `data` and `config` are views of the message. */
export type FlvMessage<Codec> =
  /** The configuration of the frames that follow: `avcC`, `hvcC`, `av1C`, `vpcC`, AudioSpecificConfig, `OpusHead`, `fLaC`. */
  | { readonly kind: "sequence-start"; readonly codec: Codec; readonly trackId: number; readonly config: Uint8Array }
  | FlvFrames<Codec>
  | { readonly kind: "sequence-end"; readonly codec: Codec; readonly trackId: number }
  /** How the channels of an audio track lie; `channelCount` is all that we use. */
  | { readonly kind: "multichannel"; readonly codec: Codec; readonly trackId: number; readonly channelCount: number }
  /** AMF0 values: a name (`colorInfo`) and its object. */
  | { readonly kind: "metadata"; readonly trackId: number; readonly value: Uint8Array }
  /** A codec that we cannot take, by the name to refuse it with. */
  | { readonly kind: "unsupported"; readonly codecName: string }
  /** Nothing to do: silence, a seek command, an empty body. */
  | { readonly kind: "ignored"; readonly reason: string };

export interface FlvFrames<Codec> {
  readonly kind: "frames";
  readonly codec: Codec;
  readonly trackId: number;
  /** Says the message's own header; always true for audio. */
  readonly isKey: boolean;
  /** Composition offset, signed; 0 for audio. */
  readonly ctsMs: number;
  /** To be added to this message's timestamp: 0 to 999999. */
  readonly nanosecondOffset: number;
  readonly data: Uint8Array;
}

export type FlvVideoMessage = FlvMessage<VideoCodec>;
export type FlvAudioMessage = FlvMessage<AudioCodec>;

const VIDEO_FOURCCS: Readonly<Record<string, VideoCodec>> = { avc1: "h264", hvc1: "hevc", av01: "av1", vp09: "vp9" };
const AUDIO_FOURCCS: Readonly<Record<string, AudioCodec>> = {
  mp4a: "aac",
  Opus: "opus",
  fLaC: "flac",
  "ac-3": "ac3",
  "ec-3": "eac3",
  ".mp3": "mp3",
};

/** The FourCCs that we take in Enhanced RTMP, for the connect reply. */
export const SUPPORTED_FOURCCS = { video: Object.keys(VIDEO_FOURCCS), audio: Object.keys(AUDIO_FOURCCS) } as const;

/** Legacy CodecID; 12 is what Chinese encoders used for HEVC before Enhanced RTMP. */
const LEGACY_VIDEO_CODECS: Readonly<Record<number, VideoCodec>> = { 7: "h264", 12: "hevc" };
/** Legacy SoundFormat; 14 is MP3 at 8 kHz. */
const LEGACY_AUDIO_CODECS: Readonly<Record<number, AudioCodec>> = { 2: "mp3", 10: "aac", 14: "mp3" };
const LEGACY_AUDIO_AAC = 10;
const AUDIO_EX_HEADER = 9;

const FRAME_TYPE_KEY = 1;
const FRAME_TYPE_GENERATED_KEY = 4;
const FRAME_TYPE_COMMAND = 5;

/** AVCPacketType and AACPacketType. */
const LEGACY_SEQUENCE_START = 0;
const LEGACY_FRAMES = 1;
const LEGACY_SEQUENCE_END = 2;

/** VideoPacketType and AudioPacketType, which agree as far as both have them. */
const PACKET = {
  sequenceStart: 0,
  codedFrames: 1,
  sequenceEnd: 2,
  codedFramesX: 3,
  videoMetadata: 4,
  audioMultichannel: 4,
  videoMpeg2Ts: 5,
  audioMultitrack: 5,
  videoMultitrack: 6,
  modEx: 7,
} as const;

const MULTITRACK_ONE = 0;
const MULTITRACK_MANY_CODECS = 2;
const MODEX_NANOSECONDS = 0;
/** modExDataSize is one byte plus one; 256 says that two more bytes hold it. */
const MODEX_LONG_SIZE = 256;
const CHANNEL_ORDER_CUSTOM = 2;

/** The video tag body of FLV, which is also the payload of an RTMP video message. Throws MalformedInput. */
export function parseVideoTag(body: Uint8Array): FlvVideoMessage[] {
  const bytes = new ByteReader(body, "FLV video");
  if (body.length === 0) return [{ kind: "ignored", reason: "empty video message" }];
  const first = bytes.u8();
  const frameType = (first >> 4) & 7;
  const isKey = frameType === FRAME_TYPE_KEY || frameType === FRAME_TYPE_GENERATED_KEY;
  if (first & 0x80) return readExVideo(bytes, first & 15, frameType, isKey);
  if (frameType === FRAME_TYPE_COMMAND) return [{ kind: "ignored", reason: "video command" }];
  return [readLegacyVideo(bytes, first & 15, isKey)];
}

/** The audio tag body of FLV, which is also the payload of an RTMP audio message. Throws MalformedInput. */
export function parseAudioTag(body: Uint8Array): FlvAudioMessage[] {
  const bytes = new ByteReader(body, "FLV audio");
  if (body.length === 0) return [{ kind: "ignored", reason: "silence" }];
  const first = bytes.u8();
  const soundFormat = first >> 4;
  if (soundFormat === AUDIO_EX_HEADER) return readExAudio(bytes, first & 15);
  return [readLegacyAudio(bytes, soundFormat)];
}

function readLegacyVideo(bytes: ByteReader, codecId: number, isKey: boolean): FlvVideoMessage {
  const codec = LEGACY_VIDEO_CODECS[codecId];
  if (!codec) return { kind: "unsupported", codecName: `video codec id ${codecId}` };
  const packetType = bytes.u8();
  const ctsMs = bytes.i24();
  const data = bytes.rest();
  if (packetType === LEGACY_SEQUENCE_END) return { kind: "sequence-end", codec, trackId: DEFAULT_TRACK };
  if (packetType > LEGACY_SEQUENCE_END) throw bytes.malformed(`packet type ${packetType}`);
  if (data.length === 0) return { kind: "ignored", reason: "empty video message" };
  if (packetType === LEGACY_SEQUENCE_START)
    return { kind: "sequence-start", codec, trackId: DEFAULT_TRACK, config: data };
  return { kind: "frames", codec, trackId: DEFAULT_TRACK, isKey, ctsMs, nanosecondOffset: 0, data };
}

function readLegacyAudio(bytes: ByteReader, soundFormat: number): FlvAudioMessage {
  const codec = LEGACY_AUDIO_CODECS[soundFormat];
  if (!codec) return { kind: "unsupported", codecName: `sound format ${soundFormat}` };
  if (bytes.bytesLeft === 0) return { kind: "ignored", reason: "silence" };
  const packetType = soundFormat === LEGACY_AUDIO_AAC ? bytes.u8() : LEGACY_FRAMES;
  if (packetType > LEGACY_FRAMES) throw bytes.malformed(`packet type ${packetType}`);
  if (bytes.bytesLeft === 0) return { kind: "ignored", reason: "silence" };
  if (packetType === LEGACY_SEQUENCE_START) {
    return { kind: "sequence-start", codec, trackId: DEFAULT_TRACK, config: bytes.rest() };
  }
  return audioFrames(codec, DEFAULT_TRACK, 0, bytes.rest());
}

function audioFrames(codec: AudioCodec, trackId: number, nanosecondOffset: number, data: Uint8Array): FlvAudioMessage {
  if (data.length === 0) return { kind: "ignored", reason: "silence" };
  return { kind: "frames", codec, trackId, isKey: true, ctsMs: 0, nanosecondOffset, data };
}

/** What stands before the tracks of an Enhanced RTMP message. */
interface ExHeader {
  readonly packetType: number;
  readonly nanosecondOffset: number;
}

/** One track of an Enhanced RTMP message. */
interface ExTrack extends ExHeader {
  readonly fourCc: string;
  readonly trackId: number;
  readonly body: ByteReader;
}

function readExVideo(bytes: ByteReader, firstPacketType: number, frameType: number, isKey: boolean): FlvVideoMessage[] {
  const header = readModEx(bytes, firstPacketType);
  if (header.packetType !== PACKET.videoMetadata && frameType === FRAME_TYPE_COMMAND) {
    return [{ kind: "ignored", reason: "video command" }];
  }
  return readExTracks(bytes, header, PACKET.videoMultitrack).map((track) => readExVideoTrack(track, isKey));
}

function readExAudio(bytes: ByteReader, firstPacketType: number): FlvAudioMessage[] {
  const header = readModEx(bytes, firstPacketType);
  return readExTracks(bytes, header, PACKET.audioMultitrack).map(readExAudioTrack);
}

/** Extensions stand before the packet type that they modify; unknown ones are passed over. */
function readModEx(bytes: ByteReader, firstPacketType: number): ExHeader {
  let packetType = firstPacketType;
  let nanosecondOffset = 0;
  while (packetType === PACKET.modEx) {
    const shortSize = bytes.u8() + 1;
    const data = bytes.bytes(shortSize === MODEX_LONG_SIZE ? bytes.u16() + 1 : shortSize);
    const types = bytes.u8();
    packetType = types & 15;
    if (types >> 4 === MODEX_NANOSECONDS) nanosecondOffset = readNanoseconds(bytes, data);
  }
  return { packetType, nanosecondOffset };
}

function readNanoseconds(bytes: ByteReader, data: Uint8Array): number {
  if (data.length < 3) throw bytes.malformed("timestamp offset is cut off");
  const nanoseconds = new ByteReader(data, "FLV ModEx").u24();
  if (nanoseconds >= NANOSECONDS_PER_MS) throw bytes.malformed(`timestamp offset of ${nanoseconds} ns`);
  return nanoseconds;
}

function readExTracks(bytes: ByteReader, header: ExHeader, multitrackType: number): ExTrack[] {
  if (header.packetType !== multitrackType) {
    return [{ ...header, fourCc: bytes.fourCc(), trackId: DEFAULT_TRACK, body: bytes }];
  }
  const types = bytes.u8();
  const inner: ExHeader = { ...header, packetType: types & 15 };
  const multitrack = types >> 4;
  if (inner.packetType === multitrackType) throw bytes.malformed("multitrack within multitrack");
  if (multitrack > MULTITRACK_MANY_CODECS) throw bytes.malformed(`multitrack type ${multitrack}`);
  const sharedFourCc = multitrack === MULTITRACK_MANY_CODECS ? undefined : bytes.fourCc();
  if (multitrack === MULTITRACK_ONE) return [readOneTrack(bytes, inner, sharedFourCc)];
  return readManyTracks(bytes, inner, sharedFourCc);
}

function readOneTrack(bytes: ByteReader, header: ExHeader, sharedFourCc = ""): ExTrack {
  return { ...header, fourCc: sharedFourCc, trackId: bytes.u8(), body: bytes };
}

function readManyTracks(bytes: ByteReader, header: ExHeader, sharedFourCc: string | undefined): ExTrack[] {
  const tracks: ExTrack[] = [];
  while (bytes.bytesLeft > 0) {
    if (tracks.length === MOST_TRACKS) throw bytes.malformed(`more than ${MOST_TRACKS} tracks`);
    const fourCc = sharedFourCc ?? bytes.fourCc();
    const trackId = bytes.u8();
    const length = bytes.u24();
    const body = new ByteReader(bytes.bytes(length), "FLV track", bytes.position - length);
    tracks.push({ ...header, fourCc, trackId, body });
  }
  return tracks;
}

function readExVideoTrack(
  { packetType, nanosecondOffset, fourCc, trackId, body }: ExTrack,
  isKey: boolean,
): FlvVideoMessage {
  if (packetType === PACKET.videoMetadata) return { kind: "metadata", trackId, value: body.rest() };
  const codec = VIDEO_FOURCCS[fourCc];
  if (!codec) return { kind: "unsupported", codecName: `video FourCC ${printable(fourCc)}` };
  switch (packetType) {
    case PACKET.sequenceStart:
      return { kind: "sequence-start", codec, trackId, config: body.rest() };
    case PACKET.sequenceEnd:
      return { kind: "sequence-end", codec, trackId };
    case PACKET.codedFrames:
    case PACKET.codedFramesX: {
      const hasOffset = packetType === PACKET.codedFrames && (codec === "h264" || codec === "hevc");
      const ctsMs = hasOffset ? body.i24() : 0;
      const data = body.rest();
      if (data.length === 0) return { kind: "ignored", reason: "empty video message" };
      return { kind: "frames", codec, trackId, isKey, ctsMs, nanosecondOffset, data };
    }
    case PACKET.videoMpeg2Ts:
      return { kind: "unsupported", codecName: "MPEG-2 TS sequence start" };
    default:
      throw body.malformed(`video packet type ${packetType}`);
  }
}

function readExAudioTrack({ packetType, nanosecondOffset, fourCc, trackId, body }: ExTrack): FlvAudioMessage {
  const codec = AUDIO_FOURCCS[fourCc];
  if (!codec) return { kind: "unsupported", codecName: `audio FourCC ${printable(fourCc)}` };
  switch (packetType) {
    case PACKET.sequenceStart:
      return { kind: "sequence-start", codec, trackId, config: body.rest() };
    case PACKET.sequenceEnd:
      return { kind: "sequence-end", codec, trackId };
    case PACKET.codedFrames:
      return audioFrames(codec, trackId, nanosecondOffset, body.rest());
    case PACKET.audioMultichannel:
      return { kind: "multichannel", codec, trackId, channelCount: readChannelCount(body) };
    default:
      throw body.malformed(`audio packet type ${packetType}`);
  }
}

function readChannelCount(body: ByteReader): number {
  const order = body.u8();
  const channelCount = body.u8();
  if (channelCount === 0) throw body.malformed("no channels");
  if (order === CHANNEL_ORDER_CUSTOM) body.skip(channelCount);
  return channelCount;
}

/** Text from outside that may stand in a log or a message to a person. */
function printable(fourCc: string): string {
  return /^[\x20-\x7e]{4}$/.test(fourCc) ? fourCc : `0x${Buffer.from(fourCc, "latin1").toString("hex")}`;
}
