import type { FinishedUpload, Library, TakenVideo } from "../library/library.ts";

/** Who takes the originals that arrive, and makes videos of them. */
export type VideoIntake = Pick<Library, "newUpload" | "complete" | "abandon">;

/** Looks into a few originals at once, in the order in which they became whole: each look is a program of its own. */
export class PacedIntake implements VideoIntake {
  readonly #intake: VideoIntake;
  readonly #waiting: (() => void)[] = [];
  #freeCount: number;

  constructor(intake: VideoIntake, maxCount: number) {
    this.#intake = intake;
    this.#freeCount = maxCount;
  }

  newUpload(): ReturnType<VideoIntake["newUpload"]> {
    return this.#intake.newUpload();
  }

  abandon(key: string): Promise<void> {
    return this.#intake.abandon(key);
  }

  async complete(upload: FinishedUpload): Promise<TakenVideo> {
    if (this.#freeCount > 0) this.#freeCount -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await this.#intake.complete(upload);
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#freeCount += 1;
    }
  }
}
