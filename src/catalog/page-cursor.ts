import { DomainError } from "../core/errors.ts";

/** Where a page that is newest first ends, as text for whoever asks for the next one. */
export function writeCursor(createdAtMs: number, id: string): string {
  return Buffer.from(`${createdAtMs}.${id}`).toString("base64url");
}

/** Throws INVALID_REQUEST for a cursor that we did not make. */
export function readCursor<Id>(
  cursor: string,
  parseId: (text: string) => Id | undefined,
): { createdAtMs: number; id: Id } {
  const [, createdAtMs, text = ""] = /^(\d{1,15})\.(.+)$/.exec(Buffer.from(cursor, "base64url").toString()) ?? [];
  const id = parseId(text);
  if (id === undefined) throw new DomainError("INVALID_REQUEST", "the cursor is not one of ours");
  return { createdAtMs: Number(createdAtMs), id };
}
