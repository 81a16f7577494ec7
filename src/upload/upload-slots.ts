import { DomainError } from "../core/errors.ts";

const RETRY_AFTER_S = 10;

/** How many uploads and imports run at once. */
export class UploadSlots {
  readonly #maxCount: number;
  #takenCount = 0;

  constructor(maxCount: number) {
    this.#maxCount = maxCount;
  }

  /** Throws LIMIT_REACHED when all are taken. The slot is free again once it is disposed of. */
  take(): Disposable {
    if (this.#takenCount >= this.#maxCount) {
      throw new DomainError("LIMIT_REACHED", `${this.#maxCount} uploads are running; no more are taken at once`, {
        details: { retry_after_s: RETRY_AFTER_S },
      });
    }
    this.#takenCount += 1;
    let isTaken = true;
    return {
      [Symbol.dispose]: () => {
        if (isTaken) this.#takenCount -= 1;
        isTaken = false;
      },
    };
  }
}
