/** The forms in which a text body is kept. */
export type ContentEncoding = "br" | "gzip" | "identity";

const PREFERENCE: readonly ContentEncoding[] = ["br", "gzip", "identity"];
const HEADER_LIMIT_CHARS = 256;
const QUALITY = /^[ \t]*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)[ \t]*$/i;

/**
 * The form that the client ranks highest (RFC 9110 §12.5.3), ours first among equals: br, gzip, identity. Identity is
 * the answer when there is no header, when it is malformed, and when nothing else is acceptable.
 */
export function chooseEncoding(acceptEncoding: string | undefined): ContentEncoding {
  if (acceptEncoding === undefined || acceptEncoding.length > HEADER_LIMIT_CHARS) return "identity";
  const ranks = qualities(acceptEncoding);
  const other = ranks.get("*") ?? 0;
  let best: ContentEncoding = "identity";
  let bestQuality = 0;
  for (const encoding of PREFERENCE) {
    const quality = ranks.get(encoding) ?? (encoding === "gzip" ? ranks.get("x-gzip") : undefined) ?? other;
    if (quality > bestQuality) {
      best = encoding;
      bestQuality = quality;
    }
  }
  return best;
}

function qualities(header: string): Map<string, number> {
  const ranks = new Map<string, number>();
  for (const item of header.split(",")) {
    const [coding = "", ...parameters] = item.split(";");
    const weight = parameters.length === 0 ? 1 : Number(QUALITY.exec(parameters[0] ?? "")?.[1] ?? 0);
    ranks.set(coding.trim().toLowerCase(), weight);
  }
  return ranks;
}
