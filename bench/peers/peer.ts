import type { RunningProgram, Workplace } from "../workplace.ts";

/** A server that Headwater is measured beside. */
export interface Peer {
  readonly name: string;
  readonly version: string;
  /** Whether it keeps the media of a playlist's window in memory. */
  readonly keepsWindow: boolean;
  /** Starts it and waits until its RTMP port takes connections. */
  start(workplace: Workplace, core?: number): Promise<RunningPeer>;
}

export interface RunningPeer {
  readonly program: RunningProgram;
  readonly rtmpPort: number;
  /** From the start of the process until its port took a connection. */
  readonly readyMs: number;
}

/** A peer, or why there is none. */
export type FoundPeer = { readonly peer: Peer } | { readonly absence: string };

export function peersOf(found: readonly FoundPeer[]): Peer[] {
  return found.flatMap((one) => ("peer" in one ? [one.peer] : []));
}

/** A sentence for each peer that is missing. */
export function absencesOf(found: readonly FoundPeer[]): string[] {
  return found.flatMap((one) => ("absence" in one ? [one.absence] : []));
}
