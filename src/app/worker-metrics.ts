import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { DomainError } from "../core/errors.ts";
import { Metrics } from "../observe/metrics.ts";
import type { JobEnd } from "./job-ends.ts";
import { VERSION } from "./version.ts";

export interface WorkerMetricsOptions {
  readonly host: string;
  /** 0: nobody is answered. */
  readonly port: number;
}

/** What a worker of its own counts, with a small server that tells it: `/metrics` and `/healthz`. */
export class WorkerMetrics {
  readonly #metrics = new Metrics({ version: VERSION });
  readonly #server: Server;

  /** Throws PORT_IN_USE when it cannot listen. */
  static async open({ host, port }: WorkerMetricsOptions): Promise<WorkerMetrics> {
    const opened = new WorkerMetrics();
    if (port !== 0) await opened.listen(host, port);
    return opened;
  }

  constructor() {
    this.#server = createServer(({ url }, res) => {
      if (url === "/healthz") res.end("ok\n");
      else if (url === "/metrics") void this.#answer(res);
      else res.writeHead(404).end("/metrics and /healthz are here\n");
    });
  }

  /** Gives the port. Throws PORT_IN_USE when it cannot listen. */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (cause) => {
        reject(new DomainError("PORT_IN_USE", `jobs.metrics_port = ${port}: ${cause.message}`, { cause }));
      });
      this.#server.listen(port, host, resolve);
    });
    // A server that listens on a port has such an address.
    return (this.#server.address() as AddressInfo).port;
  }

  onJobEnd({ seconds, ...labels }: JobEnd): void {
    this.#metrics.videos.jobSeconds.observe(labels, seconds);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(res: ServerResponse): Promise<void> {
    const { registry } = this.#metrics;
    try {
      const text = await registry.metrics();
      res.setHeader("Content-Type", registry.contentType).end(text);
    } catch (error) {
      res.writeHead(500).end(`${error}\n`);
    }
  }
}
