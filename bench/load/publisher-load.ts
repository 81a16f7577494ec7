import type { Workplace } from "../workplace.ts";
import { LoadProcess } from "./load-process.ts";

export interface AddPublishers {
  readonly port: number;
  readonly streamNames: readonly string[];
}

/** Since they were asked for before. */
export interface PublisherFigures {
  readonly publisherCount: number;
  /** Publishers that the server hung up on, since the beginning. */
  readonly lostCount: number;
  /** Frames. */
  readonly sentCount: number;
  /** How much after its time a frame was sent: grows when the server takes them too slowly, or the load is too much here. */
  readonly lateP50Ms: number;
  readonly lateP99Ms: number;
}

/** RTMP publishers in one process: each loops over the same prepared file at its own pace. */
export class PublisherLoad {
  readonly process: LoadProcess;

  private constructor(process: LoadProcess) {
    this.process = process;
  }

  static async start(workplace: Workplace, source: { path: string; seconds: number }): Promise<PublisherLoad> {
    const process = new LoadProcess(workplace, "publisher-process.ts");
    await process.ask("load", source);
    return new PublisherLoad(process);
  }

  /** Resolves when all of them publish. Rejects when one is refused. */
  async add(publishers: AddPublishers): Promise<void> {
    await this.process.ask("add", publishers);
  }

  async figures(): Promise<PublisherFigures> {
    return (await this.process.ask("figures")) as PublisherFigures;
  }

  /** Hangs all of them up and ends the process. */
  async end(): Promise<void> {
    await this.process.ask("close");
    await this.process.end();
  }
}
