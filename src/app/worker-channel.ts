import type { OnJobEnd } from "./job-ends.ts";
import type { WorkerMessage, WorkerReport } from "./worker-child.ts";

/** What the worker that a server keeps hears of it and tells it. */
export interface WorkerChannel {
  readonly isLiveBehind: () => boolean;
  /** Resolves when the server lets go of its worker, or is gone. */
  readonly closed: Promise<void>;
  readonly onJobEnd: OnJobEnd;
}

/** The channel to the server that started this process as its worker; undefined when none did. */
export function workerChannel(self: NodeJS.Process): WorkerChannel | undefined {
  if (!self.connected) return undefined;
  let isLiveBehind = false;
  self.on("message", (message: WorkerMessage) => {
    isLiveBehind = message.isLiveBehind;
  });
  return {
    isLiveBehind: () => isLiveBehind,
    closed: new Promise((resolve) => self.once("disconnect", resolve)),
    onJobEnd(ended) {
      // A server that has just gone counts nothing any more.
      if (self.connected) self.send?.({ ended } satisfies WorkerReport, undefined, undefined, () => undefined);
    },
  };
}
