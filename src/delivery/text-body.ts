import { hash } from "node:crypto";
import { brotliCompressSync, gzipSync, constants as zlib } from "node:zlib";
import { type ContentEncoding, chooseEncoding } from "../http/compression.ts";
import { PUBLIC_CORS_HEADERS } from "../http/cors.ts";
import type { FlatHeaders } from "../http/flat-headers.ts";

/** One coding of a text, ready to be written. */
export interface TextForm {
  readonly bytes: Buffer;
  /** Strong, with quotes; another one for each coding (RFC 9110 §8.8.3.3). */
  readonly etag: string;
  readonly headers: FlatHeaders;
  /** For 304. */
  readonly validatorHeaders: FlatHeaders;
}

const ETAG_SUFFIX = { identity: "", gzip: "-g", br: "-b" } as const satisfies Record<ContentEncoding, string>;

/**
 * A rendered playlist or MPD. Each coding is made once, when it is first asked for, and shared by all answers. Made in
 * place: 3 kB of playlist take 20-30 µs, less than the round trip to a worker costs.
 */
export class TextBody {
  readonly text: string;
  readonly #contentType: string;
  readonly #tag: string;
  readonly #forms: Partial<Record<ContentEncoding, Map<string, TextForm>>> = {};
  readonly #bytes: Partial<Record<ContentEncoding, Buffer>> = {};
  #lastAccepted: string | undefined;
  #lastEncoding: ContentEncoding = "identity";

  constructor(text: string, contentType: string) {
    this.text = text;
    this.#contentType = contentType;
    this.#tag = hash("sha1", text, "base64url").slice(0, 20);
  }

  /** The text in the coding that the client likes best. Thousands of players of one make ask alike. */
  formFor(acceptEncoding: string | undefined, cacheControl: string): TextForm {
    if (acceptEncoding !== this.#lastAccepted) {
      this.#lastAccepted = acceptEncoding;
      this.#lastEncoding = chooseEncoding(acceptEncoding);
    }
    return this.#form(this.#lastEncoding, cacheControl);
  }

  /** The text in one coding under one Cache-Control; callers use a handful of values of it. */
  #form(encoding: ContentEncoding, cacheControl: string): TextForm {
    let forms = this.#forms[encoding];
    if (!forms) {
      forms = new Map();
      this.#forms[encoding] = forms;
    }
    let form = forms.get(cacheControl);
    if (!form) {
      form = this.#createForm(encoding, cacheControl);
      forms.set(cacheControl, form);
    }
    return form;
  }

  #createForm(encoding: ContentEncoding, cacheControl: string): TextForm {
    this.#bytes[encoding] ??= encode(this.text, encoding);
    const bytes = this.#bytes[encoding];
    const etag = `"${this.#tag}${ETAG_SUFFIX[encoding]}"`;
    const shared = ["ETag", etag, "Cache-Control", cacheControl, "Vary", "Accept-Encoding", ...PUBLIC_CORS_HEADERS];
    const coding = encoding === "identity" ? [] : ["Content-Encoding", encoding];
    const own = ["Content-Type", this.#contentType, "Content-Length", String(bytes.byteLength), ...coding];
    return { bytes, etag, headers: [...own, ...shared], validatorHeaders: shared };
  }
}

/** The settings after which nothing got smaller for the time it took: measured on playlists of 3 to 30 kB. */
function encode(text: string, encoding: ContentEncoding): Buffer {
  const plain = Buffer.from(text);
  if (encoding === "gzip") return gzipSync(plain, { level: 6, memLevel: 7, windowBits: 13 });
  if (encoding === "identity") return plain;
  return brotliCompressSync(plain, {
    params: {
      [zlib.BROTLI_PARAM_QUALITY]: 4,
      [zlib.BROTLI_PARAM_LGWIN]: 14,
      [zlib.BROTLI_PARAM_MODE]: zlib.BROTLI_MODE_TEXT,
      [zlib.BROTLI_PARAM_SIZE_HINT]: plain.byteLength,
    },
  });
}
