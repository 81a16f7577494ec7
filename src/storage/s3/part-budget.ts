/**
 * Memory for parts that are sent while the next one is read. Every upload has one part without asking; how many more there
 * are at once is counted here, for all uploads of a store together.
 */
export class PartBudget {
  readonly partBytes: number;
  #freeCount: number;

  constructor({ partBytes, spareBytes }: { partBytes: number; spareBytes: number }) {
    this.partBytes = partBytes;
    this.#freeCount = Math.floor(spareBytes / partBytes);
  }

  /** False when there is none now: go on without reading ahead. */
  tryTake(): boolean {
    if (this.#freeCount === 0) return false;
    this.#freeCount -= 1;
    return true;
  }

  give(): void {
    this.#freeCount += 1;
  }
}

/** Cuts what comes into parts of exactly `partBytes`, the last one shorter; each is memory of its own. */
export async function* inParts(
  chunks: AsyncIterable<Uint8Array>,
  partBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let part: Buffer | undefined;
  let filledBytes = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.byteLength; ) {
      part ??= Buffer.allocUnsafeSlow(partBytes);
      const piece = chunk.subarray(at, at + partBytes - filledBytes);
      part.set(piece, filledBytes);
      filledBytes += piece.byteLength;
      at += piece.byteLength;
      if (filledBytes < partBytes) continue;
      yield part;
      part = undefined;
      filledBytes = 0;
    }
  }
  if (part) yield part.subarray(0, filledBytes);
}
