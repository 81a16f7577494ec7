import { Counter, type Registry } from "prom-client";

/**
 * Counts what delivery serves. Lies on the way of every part, so it only adds to plain numbers; prom-client's counters
 * are filled from them when somebody scrapes.
 */
export class DeliveryCounts {
  readonly #answers = new Map<string, Map<number, number>>();
  readonly #bytes = new Map<string, number>();
  readonly #renders = new Map<string, number>();
  #cutReaders = 0;

  constructor(registers: Registry[]) {
    const counts = this;
    new Counter({
      name: "headwater_delivery_responses_total",
      help: "Answers to viewers",
      labelNames: ["kind", "status"],
      registers,
      collect() {
        this.reset();
        for (const [kind, byStatus] of counts.#answers) {
          for (const [status, count] of byStatus) this.inc({ kind, status }, count);
        }
      },
    });
    counterByKind(registers, "headwater_delivery_bytes_total", "Bytes of answers to viewers", this.#bytes);
    counterByKind(registers, "headwater_delivery_renders_total", "Playlists and manifests made", this.#renders);
    plainCounter(registers, "streaming_service_bandwidth_bytes_total", "Bytes of answers to viewers, in all", () =>
      [...this.#bytes.values()].reduce((sum, bytes) => sum + bytes, 0),
    );
    plainCounter(
      registers,
      "headwater_delivery_cut_readers_total",
      "Readers of an open segment that were cut because they could not follow",
      () => this.#cutReaders,
    );
  }

  /** One answer was handed to its connection. */
  served(kind: string, status: number, bodyBytes: number): void {
    const byStatus = this.#answers.get(kind) ?? new Map<number, number>();
    this.#answers.set(kind, byStatus.set(status, (byStatus.get(status) ?? 0) + 1));
    this.#bytes.set(kind, (this.#bytes.get(kind) ?? 0) + bodyBytes);
  }

  /** A playlist or manifest was made anew. */
  rendered(kind: string): void {
    this.#renders.set(kind, (this.#renders.get(kind) ?? 0) + 1);
  }

  /** A reader of an open segment could not follow and was cut. */
  cutSlowReader(): void {
    this.#cutReaders += 1;
  }
}

function counterByKind(registers: Registry[], name: string, help: string, counts: ReadonlyMap<string, number>): void {
  new Counter({
    name,
    help,
    labelNames: ["kind"],
    registers,
    collect() {
      this.reset();
      for (const [kind, count] of counts) this.inc({ kind }, count);
    },
  });
}

function plainCounter(registers: Registry[], name: string, help: string, read: () => number): void {
  new Counter({
    name,
    help,
    registers,
    collect() {
      this.reset();
      this.inc(read());
    },
  });
}
