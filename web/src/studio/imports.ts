import { useCallback, useMemo, useState } from "preact/hooks";
import { api } from "../api/client.ts";
import type { Job } from "../api/model.ts";
import { usePoll } from "../ui/poll.ts";
import { POLL_MS } from "./streams-view.tsx";

const ENDED = ["completed", "cancelled"];

/** A film that the server fetches. */
export interface ImportView {
  readonly jobId: string;
  /** Its address, when it was asked for in this browser. */
  readonly name: string;
  /** 0 to 1. */
  readonly share: number;
  /** Why it failed, as the server says it. */
  readonly problem: string | undefined;
}

export interface Imports {
  readonly imports: readonly ImportView[];
  /** Follows one that was just asked for. */
  follow(jobId: string, url: string): void;
  /** Stops one that runs; takes one that failed off the list. */
  remove(view: ImportView): void;
}

/** What is being fetched, and what could not be, until somebody has seen it. */
export function useImports(): Imports {
  const { value: page, refresh } = usePoll(
    useCallback((signal: AbortSignal) => api.imports(signal), []),
    POLL_MS,
  );
  const [names, setNames] = useState(() => kept("import-names"));
  const [seen, setSeen] = useState(() => kept("imports-seen"));
  const imports = useMemo(
    () =>
      (page?.jobs ?? [])
        .filter(({ job_id, state }) => !ENDED.includes(state) && seen[job_id] === undefined)
        .map((job) => viewOf(job, names[job.job_id])),
    [page, names, seen],
  );
  return {
    imports,
    follow(jobId, url) {
      setNames(keep("import-names", { ...names, [jobId]: url }));
      refresh();
    },
    remove({ jobId, problem }) {
      if (problem !== undefined) setSeen(keep("imports-seen", { ...seen, [jobId]: "seen" }));
      // One that has ended by itself in between needs no stop.
      else void api.cancelJob(jobId).then(refresh, refresh);
    },
  };
}

function viewOf({ job_id: jobId, state, progress, error }: Job, name = "A film from a URL"): ImportView {
  return {
    jobId,
    name,
    share: progress ?? 0,
    problem: state === "failed" ? (error?.message ?? "It failed") : undefined,
  };
}

const MOST_KEPT = 50;

function kept(key: string): Record<string, string> {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "{}") as Record<string, string>;
  } catch {
    // Somebody else's, or broken: names are a comfort, not more.
    return {};
  }
}

function keep(key: string, values: Record<string, string>): Record<string, string> {
  const newest = Object.fromEntries(Object.entries(values).slice(-MOST_KEPT));
  localStorage.setItem(key, JSON.stringify(newest));
  return newest;
}
