import { FileSending, type UploadView } from "./file-sending.ts";

/** Two keep a line full while one of them waits for an answer. */
const CONCURRENCY = 2;

/** Sends files, two at a time, each once. */
export class UploadQueue {
  readonly #onChange: () => void;
  readonly #onSent: () => void;
  #sendings: FileSending[] = [];
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
      const same = this.#sendings.find((sending) => sending.isOf(file));
      if (!same) this.#sendings.push(new FileSending(this.#nextId++, file, () => this.#advance()));
      else if (same.state === "failed" || same.state === "paused") same.wait();
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
  async remove(id: number): Promise<void> {
    await this.#find(id)?.abandon();
    this.#sendings = this.#sendings.filter((sending) => sending.id !== id);
    this.#advance();
  }

  #find(id: number): FileSending | undefined {
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
