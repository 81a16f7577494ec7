const FILE_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 12;

/** The file header of IVF, the smallest container that gives every frame its own time. `fourCc` as in AVI. */
export function writeIvfHeader(fourCc: string, width: number, height: number, timescale: number): Uint8Array {
  const bytes = Buffer.alloc(FILE_HEADER_BYTES);
  bytes.write("DKIF", 0, "latin1");
  bytes.writeUInt16LE(FILE_HEADER_BYTES, 6);
  bytes.write(fourCc, 8, "latin1");
  bytes.writeUInt16LE(width, 12);
  bytes.writeUInt16LE(height, 14);
  bytes.writeUInt32LE(timescale, 16);
  bytes.writeUInt32LE(1, 20);
  return bytes;
}

/** Room for a frame of `dataBytes` and its header; the data is `frame.subarray(IVF_DATA_AT)`. */
export function makeIvfFrame(dataBytes: number, ticks: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(FRAME_HEADER_BYTES + dataBytes);
  bytes.writeUInt32LE(dataBytes, 0);
  bytes.writeBigUInt64LE(BigInt(ticks), 4);
  return bytes;
}

export const IVF_DATA_AT = FRAME_HEADER_BYTES;
