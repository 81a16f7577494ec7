import type { Clock } from "../core/clock.ts";
import { Emitter } from "../core/emitter.ts";
import { DomainError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { AudioFormat, MediaFormat } from "../media/format.ts";
import { Intake } from "./intake.ts";
import type { ExpectedMedia, Publication, PublishRequest, SourceUnit } from "./publication.ts";
import type { LiveReader, Period, Unit } from "./unit.ts";

export type BroadcastState = "waiting" | "live" | "reconnecting" | "ended";

export interface BroadcastEvents {
  state: BroadcastState;
  /** A publisher's clock jumped by so many ms. */
  jump: number;
  /** A second publisher came while the first was well. */
  refused: PublishRequest;
}

export interface BroadcastOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** How long viewers are kept waiting for a publisher that is gone. */
  readonly reconnectWindowMs: number;
  /** A publisher that sent no media for so long may be replaced by another. */
  readonly staleTakeoverMs: number;
  readonly sampleCount: (format: AudioFormat, data: Uint8Array) => number | undefined;
}

/**
 * One run of a stream, from first media to end. Has at most one publisher at a time, fans its units out to readers, and
 * keeps the run alive for the reconnect window when the publisher is gone.
 */
export class Broadcast {
  readonly events = new Emitter<BroadcastEvents>();
  readonly #options: BroadcastOptions;
  readonly #readers = new Set<LiveReader>();
  readonly #intake: Intake;
  #publisher: Publisher | undefined;
  #state: BroadcastState = "waiting";
  #cancelReconnect: (() => void) | undefined;
  #period: Period | undefined;

  constructor(options: BroadcastOptions) {
    this.#options = options;
    this.#intake = new Intake({
      clock: options.clock,
      sampleCount: options.sampleCount,
      sink: this.#fanOut(),
      onTimestampJump: (jumpMs) => this.events.emit("jump", jumpMs),
    });
  }

  get state(): BroadcastState {
    return this.#state;
  }

  /** Who publishes now, for people to read. */
  get publisher(): PublishRequest | undefined {
    return this.#publisher?.request;
  }

  get period(): Period | undefined {
    return this.#period;
  }

  /** Adds a reader; it hears of everything from the next period or unit on. Returns the function that removes it. */
  addReader(reader: LiveReader): () => void {
    this.#readers.add(reader);
    return () => this.#readers.delete(reader);
  }

  /**
   * Gives the right to publish to `request`. A publisher that is there keeps it while media comes; a stale one is told
   * and replaced. Throws DomainError STREAM_BUSY, or STREAM_NOT_LIVE when the broadcast is over.
   */
  claim(request: PublishRequest): Publication {
    if (this.#state === "ended") throw new DomainError("STREAM_NOT_LIVE", "The broadcast is over");
    if (this.#publisher && !this.#publisher.isStale(this.#options.staleTakeoverMs)) {
      this.events.emit("refused", request);
      throw new DomainError("STREAM_BUSY", "Another encoder is live on this stream; stop it first");
    }
    const stale = this.#publisher;
    const publisher = new Publisher(request, this.#intake, this.#options.clock, (reason) =>
      this.#leave(publisher, reason),
    );
    // First, so that the stale one, which is told now, leaves nothing behind that could end the broadcast.
    this.#publisher = publisher;
    if (stale) this.#takeOver(stale);
    this.#cancelReconnect?.();
    return publisher;
  }

  /** Presentation time up to `untilMs` went by without media, and viewers were told so: what comes begins after it. */
  passTime(untilMs: number): void {
    this.#intake.passTime(untilMs);
  }

  /** Ends the run: the publisher is told `reason`, readers hear the end. Does nothing the second time. */
  end(reason: DomainError): void {
    if (this.#state === "ended") return;
    this.#publisher?.revoke(reason);
    this.#cancelReconnect?.();
    this.#intake.end();
    this.#options.log.info({ reason: reason.message }, "broadcast ended");
    this.#enter("ended");
  }

  #leave(publisher: Publisher, reason: string): void {
    if (publisher !== this.#publisher) return;
    this.#publisher = undefined;
    if (this.#state === "ended") return;
    this.#options.log.info({ reason }, "publisher gone");
    if (this.#state === "waiting") this.end(new DomainError("STREAM_NOT_LIVE", "The publisher sent no media"));
    else this.#awaitReturn();
  }

  #takeOver(stale: Publisher): void {
    stale.revoke(new DomainError("STREAM_BUSY", "Another encoder took over after no media came for a while"));
    if (this.#state === "waiting") this.#intake.interrupt();
    else this.#awaitReturn();
  }

  #awaitReturn(): void {
    this.#intake.interrupt();
    this.#enter("reconnecting");
    this.#cancelReconnect = this.#options.clock.after(this.#options.reconnectWindowMs, () =>
      this.end(new DomainError("STREAM_NOT_LIVE", "The publisher did not come back")),
    );
  }

  #enter(state: BroadcastState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.events.emit("state", state);
  }

  #fanOut(): LiveReader {
    return {
      onPeriod: (period) => {
        this.#period = period;
        for (const reader of this.#readers) reader.onPeriod(period);
        this.#enter("live");
      },
      onUnit: (unit: Unit) => {
        for (const reader of this.#readers) reader.onUnit(unit);
      },
      onInterrupted: () => {
        for (const reader of this.#readers) reader.onInterrupted();
      },
      onEnd: () => {
        for (const reader of this.#readers) reader.onEnd();
      },
    };
  }
}

/** The one who has the right to publish now. */
class Publisher implements Publication {
  readonly request: PublishRequest;
  readonly #intake: Intake;
  readonly #clock: Clock;
  readonly #onLeave: (reason: string) => void;
  readonly #abort = new AbortController();
  #isClosed = false;
  #lastMediaMs: number;

  constructor(request: PublishRequest, intake: Intake, clock: Clock, onLeave: (reason: string) => void) {
    this.request = request;
    this.#intake = intake;
    this.#clock = clock;
    this.#onLeave = onLeave;
    this.#lastMediaMs = clock.monotonicMs();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  isStale(staleMs: number): boolean {
    return this.#clock.monotonicMs() - this.#lastMediaMs >= staleMs;
  }

  expect(media: ExpectedMedia): void {
    if (!this.#isClosed) this.#intake.expect(media);
  }

  setFormat(format: MediaFormat): void {
    if (!this.#isClosed) this.#intake.setFormat(format);
  }

  write(unit: SourceUnit): void {
    if (this.#isClosed) return;
    this.#lastMediaMs = this.#clock.monotonicMs();
    this.#intake.write(unit);
  }

  close(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#onLeave(reason);
  }

  /** Takes the right back: the session hears `reason` through `signal`. */
  revoke(reason: DomainError): void {
    this.close(reason.message);
    this.#abort.abort(reason);
  }
}
