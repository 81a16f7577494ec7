import type { Clock } from "../core/clock.ts";
import { DomainError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { FfmpegProcess, type FfmpegProgram } from "./ffmpeg/process.ts";

/** Media that a picture can be made of: a CMAF header, and chunks of it of which the first begins with a key frame. */
export interface StillMedia {
  readonly init: Uint8Array;
  readonly chunks: readonly Uint8Array[];
}

export interface StillsOptions {
  readonly program: FfmpegProgram;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Still {
  readonly takenAtMs: number;
  /** Undefined: none could be made. */
  readonly jpeg: Uint8Array | undefined;
}

const KEPT_FOR_MS = 5_000;
const MOST_KEPT = 256;
const MOST_AT_ONCE = 2;
const MOST_WAITING = 32;
const TIME_LIMIT_MS = 5_000;
const MOST_JPEG_BYTES = 4 * 1024 * 1024;

/** Square pixels, at most 640 wide, even sizes. */
const SCALE = "scale=trunc(min(640\\,iw*sar)/2)*2:round(ow/dar/2)*2,setsar=1";
const ARGUMENTS = [
  ...["-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+error", "-protocol_whitelist", "pipe"],
  ...["-threads:v", "1", "-f", "mp4", "-i", "pipe:0", "-map", "0:v:0", "-frames:v", "1", "-vf", SCALE],
  ...["-threads:v", "1", "-c:v", "mjpeg", "-q:v", "4", "-pix_fmt", "yuvj420p", "-f", "mjpeg", "pipe:3"],
];

/** Pictures of running streams as JPEG, made when they are asked for and kept for five seconds. */
export class Stills {
  readonly #options: StillsOptions;
  readonly #kept = new Map<string, Still>();
  readonly #underWay = new Map<string, Promise<Still>>();
  readonly #waiting: (() => void)[] = [];
  #runningCount = 0;

  constructor(options: StillsOptions) {
    this.#options = options;
  }

  /**
   * The newest picture of the stream, at most five seconds old; undefined when it has none. `newest` is asked only when
   * a new picture is made, once for all who wait for it. Throws DomainError LIMIT_REACHED when too many streams wait.
   */
  async get(streamId: string, newest: () => StillMedia | undefined): Promise<Uint8Array | undefined> {
    const kept = this.#kept.get(streamId);
    if (kept && this.#options.clock.monotonicMs() < kept.takenAtMs + KEPT_FOR_MS) return kept.jpeg;
    const still = await (this.#underWay.get(streamId) ?? this.#begin(streamId, newest));
    return still.jpeg;
  }

  #begin(streamId: string, newest: () => StillMedia | undefined): Promise<Still> {
    const underWay = this.#take(streamId, newest).finally(() => this.#underWay.delete(streamId));
    this.#underWay.set(streamId, underWay);
    return underWay;
  }

  async #take(streamId: string, newest: () => StillMedia | undefined): Promise<Still> {
    await this.#turn();
    try {
      const media = newest();
      const jpeg = media && (await this.#encode(streamId, media));
      const still = { takenAtMs: this.#options.clock.monotonicMs(), jpeg };
      this.#keep(streamId, still);
      return still;
    } finally {
      this.#runningCount -= 1;
      this.#waiting.shift()?.();
    }
  }

  /** Resolves when one more process may run; it is counted from then on. */
  async #turn(): Promise<void> {
    if (this.#waiting.length >= MOST_WAITING) {
      throw new DomainError("LIMIT_REACHED", "too many pictures are asked for at once");
    }
    while (this.#runningCount >= MOST_AT_ONCE) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
    this.#runningCount += 1;
  }

  async #encode(streamId: string, { init, chunks }: StillMedia): Promise<Uint8Array | undefined> {
    const { program, clock, logger } = this.#options;
    const child = new FfmpegProcess({ program, arguments: ARGUMENTS, inputCount: 1, outputCount: 1, clock });
    const pieces: Uint8Array[] = [];
    let byteCount = 0;
    child.read(0, (bytes) => {
      byteCount += bytes.length;
      if (byteCount > MOST_JPEG_BYTES) child.kill();
      else pieces.push(bytes);
    });
    const cancel = clock.after(TIME_LIMIT_MS, () => child.kill());
    for (const bytes of [init, ...chunks]) child.inputs[0]?.write(bytes);
    child.inputs[0]?.end();
    const { code, reason } = await child.exited;
    cancel();
    if (code === 0 && byteCount > 0) return Buffer.concat(pieces);
    logger.warn({ streamId, reason }, "no picture could be made");
    return undefined;
  }

  #keep(streamId: string, still: Still): void {
    this.#kept.delete(streamId);
    this.#kept.set(streamId, still);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MOST_KEPT) return;
      this.#kept.delete(oldest);
    }
  }
}
