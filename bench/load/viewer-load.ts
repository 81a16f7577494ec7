import type { Workplace } from "../workplace.ts";
import { LoadProcess } from "./load-process.ts";

export interface AddViewers {
  readonly port: number;
  /** Of the video rendition, and of its audio when that is one of its own. */
  readonly playlistPaths: readonly string[];
  readonly count: number;
  readonly perSecond: number;
}

export interface StaticFiles {
  readonly port: number;
  readonly playlistPath: string;
  readonly partPaths: readonly string[];
  readonly count: number;
}

/** Since they were asked for before. Delays: from the end of a part's last frame to the last byte. */
export interface ViewerFigures {
  readonly viewerCount: number;
  readonly requestsPerSecond: number;
  readonly errorCount: number;
  readonly firstError: string;
  readonly partCount: number;
  readonly partMinMs: number;
  readonly partP50Ms: number;
  readonly partP99Ms: number;
  readonly partMaxMs: number;
  readonly playlistP50Ms: number;
  readonly playlistP99Ms: number;
  /** Means, since the beginning. */
  readonly playlistBytes: number;
  readonly videoPartBytes: number;
  readonly audioPartBytes: number;
  /** When this nears 100, it is the load that is at its end. */
  readonly clientCpuPercent: number;
}

/** Viewers in one process, each with the four connections that a browser holds for one low-latency stream. */
export class ViewerLoad {
  readonly process: LoadProcess;

  constructor(workplace: Workplace) {
    this.process = new LoadProcess(workplace, "viewer-process.ts");
  }

  async add(viewers: AddViewers): Promise<void> {
    await this.process.ask("addViewers", viewers);
  }

  async addStatic(files: StaticFiles): Promise<void> {
    await this.process.ask("addStaticViewers", files);
  }

  async figures(): Promise<ViewerFigures> {
    return (await this.process.ask("figures")) as ViewerFigures;
  }

  /** Renditions of viewers that have not seen their first list, or have more than one part waiting. */
  async countBehind(): Promise<number> {
    return (await this.process.ask("countBehind")) as number;
  }

  end(): Promise<void> {
    return this.process.end();
  }
}
