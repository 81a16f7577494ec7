import { DomainError } from "../../core/errors.ts";
import type { OutputReader } from "./ffmpeg-run.ts";

/** One output of ffmpeg, kept in memory up to a limit. */
export class GatheredOutput {
  readonly #limitBytes: number;
  readonly #what: string;
  readonly #pieces: Uint8Array[] = [];
  #byteCount = 0;

  /** `what`: the name of what is larger than anything sensible, should it come to that. */
  constructor(limitBytes: number, what: string) {
    this.#limitBytes = limitBytes;
    this.#what = what;
  }

  /** Throws MEDIA_DAMAGED beyond the limit. */
  readonly read: OutputReader = async (pieces) => {
    for await (const piece of pieces) {
      this.#byteCount += piece.length;
      if (this.#byteCount > this.#limitBytes) {
        throw new DomainError("MEDIA_DAMAGED", `${this.#what} has more than ${this.#limitBytes} bytes`);
      }
      this.#pieces.push(piece);
    }
  };

  get bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }
}
