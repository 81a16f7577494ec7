import type { Upload } from "tus-js-client";
import { holdAlone } from "../ui/hold-alone.ts";
import { titleOf } from "./file-title.ts";
import { forgetUpload } from "./kept-uploads.ts";
import { canPass, isLocked, isRefused, keepUpload, sentenceFor } from "./upload-answers.ts";

const ENDPOINT = "/api/v1/uploads";
/** For an hour: a server is brought up to date meanwhile, or copies a large file to where it is kept. */
const RETRY_DELAYS_MS = [0, 1000, 3000, 5000, 10_000, ...Array<number>(180).fill(20_000)];
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
  /** Why it failed; while it is sending, why it has to be tried again. */
  readonly problem: string | undefined;
}

interface Sample {
  readonly atMs: number;
  readonly sentBytes: number;
}

/** One file, sent by tus; what is cut off goes on where it was, also after the page was loaded anew. */
export class FileSending {
  readonly id: number;
  readonly #file: File;
  readonly #changed: () => void;
  /** Made when it is first sent: the library comes with the first upload. */
  #upload: Upload | undefined;
  #hold: Promise<(() => void) | undefined> | undefined;
  #state: UploadState = "waiting";
  /** Counts the times that it was told to send. */
  #turn = 0;
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

  isOf({ name, size, lastModified }: File): boolean {
    return this.#file.name === name && this.#file.size === size && this.#file.lastModified === lastModified;
  }

  send(): void {
    this.#problem = undefined;
    this.#samples = [];
    this.#state = "sending";
    this.#turn += 1;
    this.#start(this.#turn).catch((error: Error) => this.#fail(error));
  }

  pause(): void {
    if (this.#state === "sending") void this.#upload?.abort();
    this.#become("paused");
  }

  /** Goes on when its turn comes. */
  wait(): void {
    this.#become("waiting");
  }

  /** Resolves when this browser has forgotten it; the server forgets it by itself in time when it cannot be told now. */
  async abandon(): Promise<void> {
    this.#state = "paused";
    this.#upload?.abort(true).catch(() => undefined);
    await this.#forget();
  }

  async #start(turn: number): Promise<void> {
    this.#hold ??= holdAlone(`headwater upload ${this.#file.name} ${this.#file.size} ${this.#file.lastModified}`);
    if (!(await this.#hold)) {
      this.#hold = undefined;
      this.#problem = "Another page of this browser is sending it.";
      return this.#become("failed");
    }
    const upload = this.#upload ?? (await this.#open());
    // It may have been paused, and told to go on, meanwhile.
    if (this.#state !== "sending" || this.#turn !== turn) return;
    this.#upload = upload;
    upload.start();
  }

  /** The upload, going on where an earlier page left this file. */
  async #open(): Promise<Upload> {
    const { Upload } = await import("tus-js-client");
    const { name, type } = this.#file;
    const upload = new Upload(this.#file, {
      endpoint: ENDPOINT,
      metadata: { filename: name, filetype: type, title: titleOf(name) },
      retryDelays: RETRY_DELAYS_MS,
      onAfterResponse: keepUpload,
      onShouldRetry: (error) => this.#canGoOn(error),
      onProgress: (sentBytes) => this.#progress(sentBytes),
      onSuccess: () => void this.#forget().then(() => this.#become("sent")),
      onError: (error) => void this.#fail(error),
    });
    const [previous] = await upload.findPreviousUploads();
    if (previous) upload.resumeFromPreviousUpload(previous);
    this.#isResumed = previous !== undefined;
    return upload;
  }

  #canGoOn(error: Error): boolean {
    if (!canPass(error)) return false;
    this.#problem = isLocked(error) ? undefined : sentenceFor(error);
    if (isLocked(error)) this.#sentBytes = this.#file.size;
    this.#samples = [];
    this.#changed();
    return true;
  }

  async #fail(error: Error): Promise<void> {
    this.#problem = `${sentenceFor(error)}${isRefused(error) ? "" : " What was sent is kept."}`;
    if (isRefused(error)) await this.#forget();
    this.#become("failed");
  }

  /** Whoever sends this file again begins anew. */
  async #forget(): Promise<void> {
    const upload = this.#upload;
    this.#upload = undefined;
    if (upload) await forgetUpload(upload);
    const letGo = await this.#hold;
    this.#hold = undefined;
    letGo?.();
  }

  #progress(sentBytes: number): void {
    const atMs = performance.now();
    this.#problem = undefined;
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
