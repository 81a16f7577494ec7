import type { MakeProgress } from "./contract.ts";

/** Lines of a report are short; what is longer is none. */
const LONGEST_LINE = 1000;

/** Reads what `-progress` writes, a report at a time; `out_time_us` is that of the output which is furthest behind. */
export async function readProgress(
  pieces: AsyncIterable<Uint8Array>,
  onProgress: ((progress: MakeProgress) => void) | undefined,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  let fields: Record<string, string> = {};
  for await (const piece of pieces) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split("\n");
    rest = (lines.pop() ?? "").slice(0, LONGEST_LINE);
    for (const line of lines) {
      const [name = "", value = ""] = line.split("=", 2);
      fields[name] = value.trim();
      if (name !== "progress") continue;
      const progress = progressOf(fields);
      if (progress) onProgress?.(progress);
      fields = {};
    }
  }
}

/** Undefined before the first frame is out: ffmpeg says N/A then. */
function progressOf(fields: Readonly<Record<string, string>>): MakeProgress | undefined {
  const reachedMs = Number(fields.out_time_us) / 1000;
  const speed = Number.parseFloat(fields.speed ?? "") || 0;
  return reachedMs >= 0 ? { reachedMs, speed } : undefined;
}
