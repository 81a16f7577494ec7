import { existsSync, readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { fileURLToPath } from "node:url";

const PLACE = /file:\/\/\/[^\s():]+\.js:\d+:\d+/;

/**
 * Lets stack traces name files and lines of the sources where they lead into files of `directory` that have a source map
 * beside them. Node's own `--enable-source-maps` reads all maps at the start, for 15 MB and a fifth of the start time;
 * here the first error that is looked at reads those that it needs.
 */
export function nameSourceLines(directory: string): void {
  const maps = new Map<string, SourceMap | undefined>();
  const mapOf = (path: string): SourceMap | undefined => {
    if (!maps.has(path)) maps.set(path, path.startsWith(directory) ? readMap(`${path}.map`) : undefined);
    return maps.get(path);
  };
  Error.prepareStackTrace = (error, frames) => {
    const lines = frames.map((frame) => `\n    at ${String(frame).replace(PLACE, (place) => sourceOf(place, mapOf))}`);
    return `${describe(error)}${lines.join("")}`;
  };
}

/** `file:///dist/main.js:12:3` as the source has it: `file:///src/app/app.ts:7:5`. */
function sourceOf(place: string, mapOf: (path: string) => SourceMap | undefined): string {
  const [, url = "", line, column] = /^(.*):(\d+):(\d+)$/.exec(place) ?? [];
  const path = fileURLToPath(url);
  const entry = mapOf(path)?.findEntry(Number(line) - 1, Number(column) - 1);
  if (!entry || !("originalSource" in entry)) return place;
  const source = new URL(entry.originalSource, url);
  return `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
}

function readMap(path: string): SourceMap | undefined {
  if (!existsSync(path)) return undefined;
  return new SourceMap(JSON.parse(readFileSync(path, "utf8")));
}

/** As V8 begins a stack, whatever was thrown. */
function describe(error: unknown): string {
  try {
    return String(error);
  } catch {
    return "an error that cannot be written";
  }
}
