import type { DetailedError, Upload } from "tus-js-client";
import { problemOf, sentenceOf } from "../api/problem.ts";

const ENDPOINT = "/api/v1/uploads";
/** Two keep a line full while one of them waits for an answer. */
const CONCURRENCY = 2;
const RETRY_DELAYS_MS = [0, 1000, 3000, 5000, 10_000, 20_000];
/** So much time speaks for the speed of the next seconds. */
const SPEED_WINDOW_MS = 5000;

export type UploadState = "waiting" | "sending" | "paused" | "failed" | "sent";

/** One file on its way to the server, as it is shown. */
export interface UploadView {
  readonly id: number;
  readonly name: string;
  readonly sizeBytes: number;
  readonly sentBytes: number;
  readonly state: UploadState;
  readonly bytesPerSecond: number | undefined;
  /** It went on where an earlier page had to leave it. */
  readonly isResumed: boolean;
  readonly problem: string | undefined;
}

/** An upload that an earlier page began and did not end. The file has to be chosen again: browsers forget it. */
export interface UnfinishedUpload {
  readonly name: string;
  readonly startedAtMs: number;
  forget(): void;
}

interface Sample {
  readonly atMs: number;
  readonly sentBytes: number;
}

/** Sends files by tus, two at a time; what is cut off goes on where it was, also after the page was loaded anew. */
export class UploadQueue {
  readonly #onChange: () => void;
  readonly #onSent: () => void;
  #sendings: Sending[] = [];
  #nextId = 1;

  constructor(options: { onChange: () => void; onSent: () => void }) {
    this.#onChange = options.onChange;
    this.#onSent = options.onSent;
  }

  get uploads(): readonly UploadView[] {
    return this.#sendings.map((sending) => sending.view);
  }

  get isSending(): boolean {
    return this.#sendings.some(({ state }) => state === "sending" || state === "waiting");
  }

  add(files: Iterable<File>): void {
    for (const file of files) {
      const sending = new Sending(this.#nextId++, file, () => this.#advance());
      this.#sendings.push(sending);
    }
    this.#advance();
  }

  pause(id: number): void {
    this.#find(id)?.pause();
  }

  resume(id: number): void {
    this.#find(id)?.wait();
  }

  /** Ends it and has the server forget what came; for what is sent or failed, takes it off the list. */
  remove(id: number): void {
    this.#find(id)?.abandon();
    this.#sendings = this.#sendings.filter((sending) => sending.id !== id);
    this.#advance();
  }

  #find(id: number): Sending | undefined {
    return this.#sendings.find((sending) => sending.id === id);
  }

  #advance(): void {
    const sent = this.#sendings.filter(({ state }) => state === "sent");
    if (sent.length > 0) {
      this.#sendings = this.#sendings.filter((sending) => !sent.includes(sending));
      this.#onSent();
    }
    const sendingCount = this.#sendings.filter(({ state }) => state === "sending").length;
    const next = this.#sendings.filter(({ state }) => state === "waiting").slice(0, CONCURRENCY - sendingCount);
    for (const sending of next) sending.send();
    this.#onChange();
  }
}

/** What earlier pages of this browser left unfinished. */
export async function unfinishedUploads(): Promise<UnfinishedUpload[]> {
  const { defaultOptions } = await import("tus-js-client");
  const { urlStorage: storage } = defaultOptions;
  const previous = await storage.findAllUploads();
  return previous.map((upload) => ({
    name: upload.metadata.filename ?? "",
    startedAtMs: Date.parse(upload.creationTime),
    forget: () => void storage.removeUpload(upload.urlStorageKey),
  }));
}

class Sending {
  readonly id: number;
  readonly #file: File;
  readonly #changed: () => void;
  /** Made when it is first sent: the library comes with the first upload. */
  #upload: Upload | undefined;
  #state: UploadState = "waiting";
  #sentBytes = 0;
  #samples: Sample[] = [];
  #isResumed = false;
  #problem: string | undefined;

  constructor(id: number, file: File, changed: () => void) {
    this.id = id;
    this.#file = file;
    this.#changed = changed;
  }

  get state(): UploadState {
    return this.#state;
  }

  get view(): UploadView {
    return {
      id: this.id,
      name: this.#file.name,
      sizeBytes: this.#file.size,
      sentBytes: this.#sentBytes,
      state: this.#state,
      bytesPerSecond: this.#bytesPerSecond(),
      isResumed: this.#isResumed,
      problem: this.#problem,
    };
  }

  send(): void {
    this.#problem = undefined;
    this.#samples = [];
    this.#state = "sending";
    void this.#start();
  }

  pause(): void {
    if (this.#state === "sending") void this.#upload?.abort();
    this.#become("paused");
  }

  wait(): void {
    this.#become("waiting");
  }

  abandon(): void {
    if (this.#state === "sent") return;
    // The server forgets it by itself in time when it cannot be told now.
    this.#upload?.abort(true).catch(() => undefined);
  }

  async #start(): Promise<void> {
    this.#upload ??= await this.#open();
    if (this.#state === "sending") this.#upload.start();
  }

  /** The upload, going on where an earlier page left this file. */
  async #open(): Promise<Upload> {
    const { Upload } = await import("tus-js-client");
    const { name, type } = this.#file;
    const upload = new Upload(this.#file, {
      endpoint: ENDPOINT,
      metadata: { filename: name, filetype: type, title: titleOf(name) },
      retryDelays: RETRY_DELAYS_MS,
      removeFingerprintOnSuccess: true,
      onShouldRetry: ({ originalResponse }) => canPass(originalResponse?.getStatus()),
      onProgress: (sentBytes) => this.#progress(sentBytes),
      onSuccess: () => this.#become("sent"),
      onError: (error) => {
        this.#problem = sentenceFor(error);
        this.#become("failed");
      },
    });
    const [previous] = await upload.findPreviousUploads();
    if (previous) upload.resumeFromPreviousUpload(previous);
    this.#isResumed = previous !== undefined;
    return upload;
  }

  #progress(sentBytes: number): void {
    const atMs = performance.now();
    this.#sentBytes = sentBytes;
    this.#samples = [...this.#samples.filter((sample) => atMs - sample.atMs < SPEED_WINDOW_MS), { atMs, sentBytes }];
    this.#changed();
  }

  #bytesPerSecond(): number | undefined {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (this.#state !== "sending" || !first || !last || last.atMs - first.atMs < 500) return undefined;
    return ((last.sentBytes - first.sentBytes) * 1000) / (last.atMs - first.atMs);
  }

  #become(state: UploadState): void {
    this.#state = state;
    this.#changed();
  }
}

/** `my_holiday-2024.mp4` as people would write it. */
export function titleOf(fileName: string): string {
  const bare = fileName.replace(/\.[A-Za-z0-9]{1,5}$/, "");
  return bare.replaceAll("_", " ").trim() || fileName;
}

/** No answer, a fault of the server, a conflict over how far it is, or too many uploads at once: that may be over in a moment. */
function canPass(status = 500): boolean {
  return status >= 500 || [409, 423, 429].includes(status);
}

/** What the server said of it, or that it could say nothing. */
function sentenceFor(error: Error): string {
  const { originalResponse: response } = error as DetailedError;
  if (!response) return "The connection broke. What was sent is kept: try again.";
  return sentenceOf(problemOf(response.getStatus(), parsed(response.getBody())));
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    // Not of this server, then: something in front of it.
    return undefined;
  }
}
