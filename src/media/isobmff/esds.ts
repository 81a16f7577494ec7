import { ByteReader } from "../byte-reader.ts";
import type { BoxWriter } from "./box-writer.ts";

/** objectTypeIndication of ISO/IEC 14496-1 (registered at mp4ra.org). */
export const OBJECT_TYPE = { aac: 0x40, mp3LowRate: 0x69, mp3: 0x6b } as const;

const ES_DESCRIPTOR = 3;
const DECODER_CONFIG = 4;
const DECODER_SPECIFIC = 5;
const SL_CONFIG = 6;
const AUDIO_STREAM = 0x15; // streamType 5, upStream 0, reserved 1
const LONGEST_LENGTH_BYTES = 4;

/** Writes an `esds` box (ISO/IEC 14496-14). `decoderConfig` is the AudioSpecificConfig; MP3 has none. */
export function writeEsds(writer: BoxWriter, objectType: number, decoderConfig: Uint8Array | undefined): void {
  const specificBytes = decoderConfig ? descriptorBytes(decoderConfig.length) : 0;
  const configBytes = 13 + specificBytes;
  writer.fullBox("esds", 0, 0, () => {
    writeDescriptorHead(writer, ES_DESCRIPTOR, 3 + descriptorBytes(configBytes) + descriptorBytes(1));
    writer.u16(0); // ES_ID, 0 in a file
    writer.u8(0);
    writeDescriptorHead(writer, DECODER_CONFIG, configBytes);
    writer.u8(objectType);
    writer.u8(AUDIO_STREAM);
    writer.zeros(11); // buffer size and bit rates: not known of a live stream
    if (decoderConfig) {
      writeDescriptorHead(writer, DECODER_SPECIFIC, decoderConfig.length);
      writer.bytes(decoderConfig);
    }
    writeDescriptorHead(writer, SL_CONFIG, 1);
    writer.u8(2); // predefined: MP4
  });
}

/** What an `esds` body says of its decoder. Throws MalformedInput. */
export function readEsds(body: Uint8Array): { objectType: number; decoderConfig: Uint8Array | undefined } {
  const bytes = new ByteReader(body, "esds");
  bytes.skip(4);
  expectDescriptor(bytes, ES_DESCRIPTOR);
  bytes.skip(2);
  const flags = bytes.u8();
  if (flags & 0x80) bytes.skip(2); // dependsOn_ES_ID
  if (flags & 0x40) bytes.skip(bytes.u8()); // URL
  if (flags & 0x20) bytes.skip(2); // OCR_ES_Id
  const length = expectDescriptor(bytes, DECODER_CONFIG);
  const config = new ByteReader(bytes.bytes(length), "esds", bytes.position - length);
  const objectType = config.u8();
  config.skip(12);
  if (config.bytesLeft === 0) return { objectType, decoderConfig: undefined };
  return { objectType, decoderConfig: config.bytes(expectDescriptor(config, DECODER_SPECIFIC)) };
}

function expectDescriptor(bytes: ByteReader, tag: number): number {
  const found = bytes.u8();
  if (found !== tag) throw bytes.malformed(`descriptor ${tag} expected, ${found} found`);
  let length = 0;
  for (let i = 0; i < LONGEST_LENGTH_BYTES; i += 1) {
    const byte = bytes.u8();
    length = (length << 7) | (byte & 127);
    if (byte < 128) return length;
  }
  throw bytes.malformed("descriptor length is too long");
}

/** A descriptor with its tag and its length, which is written in four bytes as ffmpeg and most others do. */
function descriptorBytes(contentBytes: number): number {
  return 1 + LONGEST_LENGTH_BYTES + contentBytes;
}

function writeDescriptorHead(writer: BoxWriter, tag: number, contentBytes: number): void {
  writer.u8(tag);
  for (let shift = 21; shift > 0; shift -= 7) writer.u8(0x80 | ((contentBytes >> shift) & 127));
  writer.u8(contentBytes & 127);
}
