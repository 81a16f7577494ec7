import { DomainError } from "../../src/core/errors.ts";
import type { Logger } from "../../src/core/logger.ts";
import type {
  ExpectedMedia,
  Publication,
  PublishGate,
  PublishRequest,
  SourceUnit,
} from "../../src/live/publication.ts";
import type { MediaFormat } from "../../src/media/format.ts";

/** Keeps what a publisher sends, and lets tests wait for it. */
export class RecordedPublication implements Publication {
  readonly #right = new AbortController();
  readonly #closed = Promise.withResolvers<string>();
  readonly signal = this.#right.signal;
  readonly formats: MediaFormat[] = [];
  readonly units: SourceUnit[] = [];
  readonly expected: ExpectedMedia[] = [];
  #waiting: { count: number; resolve: () => void }[] = [];

  /** Resolves with the reason when the publisher is gone. */
  get closed(): Promise<string> {
    return this.#closed.promise;
  }

  /** Resolves when `count` units came. */
  written(count: number): Promise<void> {
    if (this.units.length >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }

  /** Ends the publisher's right from our side. */
  revoke(reason: DomainError): void {
    this.#right.abort(reason);
  }

  expect(media: ExpectedMedia): void {
    this.expected.push(media);
  }

  setFormat(format: MediaFormat): void {
    this.formats.push(format);
  }

  write(unit: SourceUnit): void {
    this.units.push(unit);
    const ready = this.#waiting.filter(({ count }) => count <= this.units.length);
    this.#waiting = this.#waiting.filter(({ count }) => count > this.units.length);
    for (const { resolve } of ready) resolve();
  }

  close(reason: string): void {
    this.#closed.resolve(reason);
  }
}

/** A gate with one right key, which keeps every request and publication. */
export class RecordingGate implements PublishGate {
  readonly #key: string;
  readonly requests: PublishRequest[] = [];
  readonly publications: RecordedPublication[] = [];
  /** What `open` waits for before it answers. */
  answersAfter: Promise<void> = Promise.resolve();
  #waiting: ((publication: RecordedPublication) => void)[] = [];

  constructor(key: string) {
    this.#key = key;
  }

  /** The next publication that is granted. */
  granted(): Promise<RecordedPublication> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async open(request: PublishRequest): Promise<Publication> {
    this.requests.push(request);
    await this.answersAfter;
    if (request.streamKey !== this.#key) throw new DomainError("STREAM_KEY_UNKNOWN");
    const publication = new RecordedPublication();
    this.publications.push(publication);
    for (const resolve of this.#waiting.splice(0)) resolve(publication);
    return publication;
  }
}

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

/** Keeps every line, and lets tests wait for one. */
export class RecordingLog implements Logger {
  readonly lines: LogLine[] = [];
  #waiting: { message: string; resolve: (line: LogLine) => void }[] = [];

  readonly debug = this.#writer("debug");
  readonly info = this.#writer("info");
  readonly warn = this.#writer("warn");
  readonly error = this.#writer("error");

  child(): Logger {
    return this;
  }

  /** The next line with this message. */
  next(message: string): Promise<LogLine> {
    return new Promise((resolve) => this.#waiting.push({ message, resolve }));
  }

  #writer(level: LogLine["level"]): Logger["info"] {
    return (fields, message) => {
      const line = { level, fields, message };
      this.lines.push(line);
      const ready = this.#waiting.filter((waiting) => waiting.message === message);
      this.#waiting = this.#waiting.filter((waiting) => waiting.message !== message);
      for (const { resolve } of ready) resolve(line);
    };
  }
}
