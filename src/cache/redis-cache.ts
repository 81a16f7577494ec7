import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { Redis } from "ioredis";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";

/** Who asks here could as well find out for himself: he does when Redis takes longer. */
const ANSWER_LIMIT_MS = 250;
/** After a failure Redis is left alone for so long: nobody waits for it meanwhile. */
const REST_MS = 5_000;
const LONGEST_RECONNECT_DELAY_MS = 2_000;
/** Before compression. A video of six hours is some 5 MB. */
const MOST_TEXT_BYTES = 16 * 1024 * 1024;
/** Texts that are on their way to Redis at once; more are not kept. */
const MOST_PUT_COUNT = 100;
const FASTEST = 1;

const compress = promisify(gzip);
const expand = promisify(gunzip);

export interface RedisCacheOptions {
  readonly url: string;
  /** Stands before every key. Texts of another version of the program are not ours to read: it names the version. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Texts that can be found by their keys for a while. */
export interface SharedTexts {
  /** Undefined for what is not there or cannot be had now. */
  get(key: string): Promise<string | undefined>;
  /** Keeps a text if that can be done; nobody is told. */
  put(key: string, text: string): void;
}

/**
 * What is dear to make and may be lost, kept on Redis for all servers of a site, compressed. Never throws and never makes
 * anybody wait for long: without Redis there is nothing in it.
 */
export class RedisCache {
  readonly #options: RedisCacheOptions;
  readonly #redis: Redis;
  #putCount = 0;
  #restsUntilMs = Number.NEGATIVE_INFINITY;
  #isAway = false;
  #isClosed = false;

  constructor(options: RedisCacheOptions) {
    this.#options = options;
    this.#redis = new Redis(options.url, {
      connectTimeout: LONGEST_RECONNECT_DELAY_MS,
      commandTimeout: ANSWER_LIMIT_MS,
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      autoResubscribe: false,
      retryStrategy: (tryCount) => Math.min(LONGEST_RECONNECT_DELAY_MS, 50 * 2 ** tryCount),
    });
    // Without a listener the error of a lost connection would end the process.
    this.#redis.on("error", (error) => this.#fail(error));
    this.#redis.on("ready", () => this.#recover());
  }

  /** Texts of one kind, each for `ttlMs`. */
  texts(kind: string, ttlMs: number): SharedTexts {
    const keyOf = (key: string) => `${this.#options.prefix}:${kind}:${key}`;
    return {
      get: (key) => this.#get(keyOf(key)),
      put: (key, text) => void this.#put(keyOf(key), text, ttlMs),
    };
  }

  close(): void {
    this.#isClosed = true;
    this.#redis.disconnect();
  }

  get #isResting(): boolean {
    return this.#redis.status !== "ready" || this.#options.clock.monotonicMs() < this.#restsUntilMs;
  }

  async #get(key: string): Promise<string | undefined> {
    const packed = await this.#ask(() => this.#redis.getBuffer(key));
    if (!packed) return undefined;
    try {
      return (await expand(packed, { maxOutputLength: MOST_TEXT_BYTES })).toString();
    } catch (err) {
      this.#options.log.warn({ err, key }, "Redis holds what is none of ours; it is passed over");
      return undefined;
    }
  }

  async #put(key: string, text: string, ttlMs: number): Promise<void> {
    if (this.#isResting || this.#putCount >= MOST_PUT_COUNT || text.length > MOST_TEXT_BYTES) return;
    this.#putCount += 1;
    try {
      const packed = await compress(text, { level: FASTEST });
      await this.#ask(() => this.#redis.set(key, packed, "PX", ttlMs));
    } finally {
      this.#putCount -= 1;
    }
  }

  /** Undefined when Redis is away, or was a moment ago. */
  async #ask<Answer>(command: () => Promise<Answer>): Promise<Answer | undefined> {
    if (this.#isResting) return undefined;
    try {
      const answer = await command();
      this.#recover();
      return answer;
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  #fail(error: unknown): void {
    if (this.#isClosed) return;
    this.#restsUntilMs = this.#options.clock.monotonicMs() + REST_MS;
    if (!this.#isAway) this.#options.log.warn({ err: error }, "Redis keeps no playlists now; they are made anew");
    this.#isAway = true;
  }

  #recover(): void {
    this.#restsUntilMs = Number.NEGATIVE_INFINITY;
    if (this.#isAway) this.#options.log.info({}, "Redis keeps playlists again");
    this.#isAway = false;
  }
}
