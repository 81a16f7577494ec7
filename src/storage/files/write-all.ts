import type { FileHandle } from "node:fs/promises";

/** Writes all of `chunks` in order, in one call where the system takes them so, at `positionBytes` or where the file stands. */
export async function writeAll(file: FileHandle, chunks: readonly Uint8Array[], positionBytes?: number): Promise<void> {
  let left = chunks.filter(({ byteLength }) => byteLength > 0);
  let at = positionBytes;
  while (left.length > 0) {
    const { bytesWritten } = await file.writev(left, at);
    if (at !== undefined) at += bytesWritten;
    left = without(left, bytesWritten);
  }
}

function without(chunks: readonly Uint8Array[], byteCount: number): Uint8Array[] {
  let restBytes = byteCount;
  return chunks.flatMap((chunk) => {
    const skippedBytes = Math.min(restBytes, chunk.byteLength);
    restBytes -= skippedBytes;
    return skippedBytes === chunk.byteLength ? [] : [chunk.subarray(skippedBytes)];
  });
}
