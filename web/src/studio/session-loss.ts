import { createContext } from "preact";
import { useContext, useEffect } from "preact/hooks";
import { ApiProblem } from "../api/problem.ts";

/** What to call when the server no longer knows us. */
export const SessionLoss = createContext<() => void>(() => {});

/** Leads back to the sign-in page when a call failed because the session is over. */
export function useSessionLoss(problem: unknown): void {
  const lost = useContext(SessionLoss);
  useEffect(() => {
    if (problem instanceof ApiProblem && problem.status === 401) lost();
  }, [problem, lost]);
}
