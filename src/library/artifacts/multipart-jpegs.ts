import { DomainError } from "../../core/errors.ts";

const HEADER_END = Buffer.from("\r\n\r\n");
const CONTENT_LENGTH = /content-length: *(\d{1,10})/i;

/** The images of what ffmpeg's `mpjpeg` writes: after each head with its length. Throws INTERNAL where it does not follow that. */
export function splitJpegs(bytes: Buffer): readonly Uint8Array[] {
  const images: Uint8Array[] = [];
  for (let at = 0; ; ) {
    const headEnd = bytes.indexOf(HEADER_END, at);
    if (headEnd < 0) return images;
    const length = Number(CONTENT_LENGTH.exec(bytes.toString("latin1", at, headEnd))?.[1]);
    const start = headEnd + HEADER_END.length;
    at = start + length;
    if (!(at <= bytes.length)) throw new DomainError("INTERNAL", `ffmpeg's image ${images.length + 1} has no length`);
    images.push(bytes.subarray(start, at));
  }
}
