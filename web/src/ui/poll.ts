import { useCallback, useEffect, useState } from "preact/hooks";
import { usePageVisible } from "./page-visible.ts";

export interface Polled<Value> {
  /** The newest answer; stays when a later call fails. */
  readonly value: Value | undefined;
  /** Why the newest call failed; undefined when it did not. */
  readonly problem: unknown;
  /** Asks at once and goes on from there. */
  readonly refresh: () => void;
}

/**
 * Asks now and again `intervalMs` after each answer, only while the page is visible. `load` must keep its identity
 * (`useCallback`): another one starts afresh.
 */
export function usePoll<Value>(load: (signal: AbortSignal) => Promise<Value>, intervalMs: number): Polled<Value> {
  const [answer, setAnswer] = useState<{ load: unknown; value?: Value; problem?: unknown }>({ load });
  const [turn, setTurn] = useState(0);
  const isVisible = usePageVisible();
  useEffect(() => {
    if (!isVisible) return;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async () => {
      try {
        const value = await load(stop.signal);
        if (!stop.signal.aborted) setAnswer({ load, value });
      } catch (problem) {
        if (!stop.signal.aborted) setAnswer((last) => ({ ...(last.load === load ? last : { load }), problem }));
      }
      if (!stop.signal.aborted) timer = setTimeout(ask, intervalMs);
    };
    void ask();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [load, intervalMs, isVisible, turn]);
  const refresh = useCallback(() => setTurn((last) => last + 1), []);
  const current = answer.load === load ? answer : undefined;
  return { value: current?.value, problem: current?.problem, refresh };
}
