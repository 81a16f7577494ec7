const MAX_LENGTH = 255;

/**
 * A file's name as its owner gave it, fit to be kept and shown: without directories, control characters and halves of
 * characters, and no longer than names of files are. `fallback` where nothing is left. It never becomes part of a path.
 */
export function cleanFileName(given: string | undefined, fallback: string): string {
  const name = (given ?? "").toWellFormed().split(/[\\/]/).at(-1) ?? "";
  const characters = Array.from(name.replaceAll(/\p{Cc}/gu, ""));
  return characters.slice(0, MAX_LENGTH).join("").trim() || fallback;
}
