/** A message on its way out. */
export interface OutgoingMessage {
  /** 2 to 63; 2 is for protocol control. */
  readonly chunkStreamId: number;
  readonly typeId: number;
  readonly streamId: number;
  /** Milliseconds; sent modulo 2^32. */
  readonly timestamp: number;
  readonly body: Uint8Array;
}

const EXTENDED = 0xffffff;
const FULL_HEADER = 0;
const CONTINUATION = 3;

/**
 * The message as chunks of at most `chunkBytes` payload: a full header first, so that nothing depends on what was sent
 * before, and the extended timestamp repeated on every chunk as the spec wants.
 */
export function encodeChunks(message: OutgoingMessage, chunkBytes: number): Buffer {
  const { body, chunkStreamId } = message;
  const timestamp = message.timestamp >>> 0;
  const extensionBytes = timestamp >= EXTENDED ? 4 : 0;
  const chunkCount = Math.max(1, Math.ceil(body.length / chunkBytes));
  const out = Buffer.allocUnsafe(12 + extensionBytes + (chunkCount - 1) * (1 + extensionBytes) + body.length);

  let at = out.writeUInt8((FULL_HEADER << 6) | chunkStreamId, 0);
  at = out.writeUIntBE(Math.min(timestamp, EXTENDED), at, 3);
  at = out.writeUIntBE(body.length, at, 3);
  at = out.writeUInt8(message.typeId, at);
  at = out.writeUInt32LE(message.streamId, at);
  for (let chunk = 0; chunk < chunkCount; chunk++) {
    if (chunk > 0) at = out.writeUInt8((CONTINUATION << 6) | chunkStreamId, at);
    if (extensionBytes > 0) at = out.writeUInt32BE(timestamp, at);
    const payload = body.subarray(chunk * chunkBytes, (chunk + 1) * chunkBytes);
    out.set(payload, at);
    at += payload.length;
  }
  return out;
}
