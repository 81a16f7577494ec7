const TIMES = /^(-?)(?:(\d{2,}):)?(\d{2}):(\d{2})\.(\d{3}) --> (-?)(?:(\d{2,}):)?(\d{2}):(\d{2})\.(\d{3})(.*)$/;
const HOUR_MS = 3_600_000;

/** The same text with every cue moved by `byMs`. What ends before zero is left out, what begins before it begins at it. */
export function shiftWebVtt(text: string, byMs: number): string {
  const [header = "WEBVTT", ...blocks] = text
    .replaceAll("\r\n", "\n")
    .trimEnd()
    .split(/\n{2,}/);
  const shifted = blocks.flatMap((block) => shiftBlock(block, byMs) ?? []);
  return `${[header, ...shifted].join("\n\n")}\n`;
}

/** Undefined for a cue that is over before zero. Notes and styles have no times and stay. */
function shiftBlock(block: string, byMs: number): string | undefined {
  const lines = block.split("\n");
  const at = lines.findIndex((line) => TIMES.test(line));
  const match = TIMES.exec(lines[at] ?? "");
  if (!match) return block;
  const startMs = Math.max(0, readMs(match.slice(1, 6)) + byMs);
  const endMs = readMs(match.slice(6, 11)) + byMs;
  if (endMs <= startMs) return undefined;
  return lines.with(at, `${writeMs(startMs)} --> ${writeMs(endMs)}${match[11] ?? ""}`).join("\n");
}

function readMs([sign, hours, minutes, seconds, milliseconds]: readonly (string | undefined)[]): number {
  const ms = Number(hours ?? 0) * HOUR_MS + Number(minutes) * 60_000 + Number(seconds) * 1000 + Number(milliseconds);
  return sign === "-" ? -ms : ms;
}

function writeMs(ms: number): string {
  const pad = (value: number, digits = 2) => `${Math.floor(value)}`.padStart(digits, "0");
  const clock = [ms / HOUR_MS, (ms / 60_000) % 60, (ms / 1000) % 60].map((value) => pad(value)).join(":");
  return `${clock}.${pad(ms % 1000, 3)}`;
}
