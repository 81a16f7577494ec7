import type { Clock } from "../core/clock.ts";
import type { JobHandler } from "../jobs/job-queue.ts";

/** An attempt at a job that is over. */
export interface JobEnd {
  readonly kind: string;
  /** `returned`: stopped on the way, by its owner or with its worker. */
  readonly outcome: "completed" | "failed" | "returned";
  readonly seconds: number;
}

export type OnJobEnd = (end: JobEnd) => void;

/** The same handlers, telling of each attempt how it ended and what time it took. */
export function tellEnds(
  handlers: Readonly<Record<string, JobHandler>>,
  onEnd: OnJobEnd,
  clock: Clock,
): Readonly<Record<string, JobHandler>> {
  const told = Object.entries(handlers).map(([kind, handle]): [string, JobHandler] => [
    kind,
    async (attempt) => {
      const startMs = clock.monotonicMs();
      const tell = (outcome: JobEnd["outcome"]) =>
        onEnd({ kind, outcome, seconds: (clock.monotonicMs() - startMs) / 1000 });
      try {
        const result = await handle(attempt);
        tell("completed");
        return result;
      } catch (error) {
        tell(attempt.signal.aborted ? "returned" : "failed");
        throw error;
      }
    },
  ]);
  return Object.fromEntries(told);
}
