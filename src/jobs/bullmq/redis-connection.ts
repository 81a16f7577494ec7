import { Redis, type RedisOptions } from "ioredis";
import { type Clock, systemClock } from "../../core/clock.ts";
import { DomainError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";

/** What a request may wait for; a queue that answers later than that is not there for whoever asks. */
const ANSWER_LIMIT_MS = 3_000;
const LONGEST_RECONNECT_DELAY_MS = 2_000;

export interface RedisConnectionOptions {
  readonly url: string;
  /** `ask`: a command fails at once while Redis is away. `insist`: it waits until Redis is back, as workers must. */
  readonly patience: "ask" | "insist";
  readonly log: Logger;
}

/**
 * ioredis (6.0) says nothing when it is closed between two attempts to connect, and BullMQ waits for its word before it
 * closes anything else. As if it had not begun to connect, it does say it. So does every connection that is made of it.
 */
function talkative(redis: Redis): Redis {
  const disconnect = redis.disconnect.bind(redis);
  const duplicate = redis.duplicate.bind(redis);
  return Object.assign(redis, {
    disconnect(reconnect = false) {
      if (!reconnect && redis.status === "reconnecting") redis.status = "wait";
      disconnect(reconnect);
    },
    duplicate: (override?: Partial<RedisOptions>) => talkative(duplicate(override) as Redis),
  });
}

/** A connection that outlives Redis' absence: it connects anew by itself, and says so once each way. */
export function connectRedis({ url, patience, log }: RedisConnectionOptions): Redis {
  const redis = new Redis(url, {
    autoResubscribe: false,
    connectTimeout: ANSWER_LIMIT_MS,
    retryStrategy: (tryCount) => Math.min(LONGEST_RECONNECT_DELAY_MS, 50 * 2 ** tryCount),
    ...(patience === "ask"
      ? { lazyConnect: true, maxRetriesPerRequest: 1, enableOfflineQueue: false, commandTimeout: ANSWER_LIMIT_MS }
      : { maxRetriesPerRequest: null }),
  });
  let isAway = false;
  // Without a listener the error of a lost connection would end the process.
  redis.on("error", (error) => {
    if (!isAway) log.warn({ err: error }, "lost the connection to Redis");
    isAway = true;
  });
  redis.on("ready", () => {
    if (isAway) log.info({}, "Redis answers again");
    isAway = false;
  });
  return talkative(redis);
}

/** What `ask` resolves with; UNAVAILABLE when it fails or does not answer in time. */
export async function answerOf<Answer>(ask: () => Promise<Answer>, clock: Clock = systemClock): Promise<Answer> {
  let cancel = () => {};
  const tooLate = new Promise<never>((_, reject) => {
    cancel = clock.after(ANSWER_LIMIT_MS, () => reject(new Error(`no answer within ${ANSWER_LIMIT_MS} ms`)));
  });
  try {
    return await Promise.race([ask(), tooLate]);
  } catch (cause) {
    if (cause instanceof DomainError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DomainError("UNAVAILABLE", `the job queue does not answer: ${reason}`, { cause });
  } finally {
    cancel();
  }
}
