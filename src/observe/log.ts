import { inspect } from "node:util";
import pino from "pino";
import type { Logger } from "../core/logger.ts";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogOptions {
  readonly level: LogLevel;
  /** `json` for machines: one object a line. `text` for people. */
  readonly format: "json" | "text";
  /** Where lines go; standard output when left out. Gets whole lines. */
  readonly write?: (lines: string) => void;
}

/** A logger, and the end of it: lines are written behind, `close` writes what is left. */
export interface Log {
  readonly logger: Logger;
  close(): void;
}

/** Whoever reads the log falls behind by so much before lines are dropped rather than kept. */
const MAX_BEHIND_BYTES = 4 * 1024 * 1024;
const HIDDEN = "[hidden]";
const SECRET_FIELDS = ["streamKey", "key", "token", "adminToken", "password", "secret", "authorization", "cookie"];

/**
 * Structured logging to standard output. Fields that by their name hold a secret are hidden, at the top and one level
 * down; errors (`err`, `error`) keep code, details, cause and stack.
 */
export function openLog({ level, format, write }: LogOptions): Log {
  const stdout = write ? undefined : pino.destination({ dest: 1, sync: false, maxLength: MAX_BEHIND_BYTES });
  const writeLine = write ?? ((line: string) => void stdout?.write(line));
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: pino.stdSerializers.err, error: describeError },
      redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`]), censor: HIDDEN },
    },
    { write: format === "json" ? writeLine : (line) => writeLine(asText(line)) },
  );
  return { logger, close: () => stdout?.flushSync() };
}

function describeError(error: unknown): unknown {
  return error instanceof Error ? pino.stdSerializers.err(error) : error;
}

/** `10:02:03.456 WARN  rtmp session closed reason="no media" bytes=1200` and, below it, the stack of an error. */
function asText(line: string): string {
  // The line is pino's own.
  const { time, level, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const stacks: string[] = [];
  const words = Object.entries(fields).map(([name, value]) => {
    const stack = typeof value === "object" && value !== null && "stack" in value ? value.stack : undefined;
    if (typeof stack === "string") stacks.push(`${stack}\n`);
    return `${name}=${stack === undefined ? asWord(value) : asWord((value as { message?: unknown }).message)}`;
  });
  const head = `${String(time).slice(11, 23)} ${String(level).toUpperCase().padEnd(5)} ${String(msg ?? "")}`;
  return `${[head, ...words].join(" ")}\n${stacks.join("")}`;
}

function asWord(value: unknown): string {
  if (typeof value === "string") return /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value);
  return inspect(value, { breakLength: Number.POSITIVE_INFINITY, depth: 4 });
}
