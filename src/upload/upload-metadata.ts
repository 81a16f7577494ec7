import { DomainError } from "../core/errors.ts";

/** A name, and after one space its value in Base64, which may be left out (tus 1.0, Upload-Metadata). */
const PAIR = /^([!-+\--~]+)(?: ([A-Za-z0-9+/]*={0,2}))?$/;

/** The pairs of an Upload-Metadata header. Throws INVALID_REQUEST when it is not one. */
export function parseUploadMetadata(header: string | undefined): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>();
  if (header === undefined || header.trim() === "") return pairs;
  for (const written of header.split(",")) {
    const [, name, value = ""] = PAIR.exec(written.trim()) ?? [];
    if (name === undefined || value.length % 4 !== 0) {
      throw new DomainError(
        "INVALID_REQUEST",
        "Upload-Metadata: must be names, each with a value in Base64, and commas between them",
      );
    }
    if (pairs.has(name)) throw new DomainError("INVALID_REQUEST", `Upload-Metadata: ${name} is there twice`);
    pairs.set(name, Buffer.from(value, "base64").toString("utf8"));
  }
  return pairs;
}
