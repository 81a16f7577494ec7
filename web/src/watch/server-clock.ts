/** Server clock minus ours, in ms, from one question: the answer was written about half-way through. */
export function skewMs(serverIso: string, askedAtMs: number, answeredAtMs: number): number {
  const serverMs = Date.parse(serverIso.trim());
  return Number.isNaN(serverMs) ? 0 : serverMs - (askedAtMs + answeredAtMs) / 2;
}

/** Asks the time endpoint that DASH players use as well. 0 when it does not answer: then both clocks are taken as right. */
export async function measureSkew(signal: AbortSignal): Promise<number> {
  try {
    const askedAtMs = Date.now();
    const response = await fetch("/time", { signal, cache: "no-store" });
    return response.ok ? skewMs(await response.text(), askedAtMs, Date.now()) : 0;
  } catch {
    return 0;
  }
}
