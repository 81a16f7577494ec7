import type { IncomingHttpHeaders } from "node:http";

/** A header block as it came, from the line end of the request line to the empty line, and what it says. */
export interface HeaderBlock {
  readonly bytes: Buffer;
  readonly headers: IncomingHttpHeaders;
}

export interface PlainRequest {
  readonly url: string;
  readonly block: HeaderBlock;
}

const METHOD = "GET ";
const LINE_END = "\r\n";
const HEAD_END = "\r\n\r\n";
const REQUEST_LINE = /^GET (\/[\x21-\x7e]*) HTTP\/1\.1$/;
const HEADER_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e\t]*)$/;
/** With these, a request has a body, or its connection a life, that is node:http's matter. */
const FOREIGN = ["content-length", "transfer-encoding", "expect", "upgrade"] as const;

/**
 * Reads bytes that are exactly one GET without body, of a peer that keeps its connection and writes nothing that could be
 * understood in two ways. undefined for everything else: node:http's parser decides then. A client repeats its header
 * block with each request; when it is that of `before`, it is not read again.
 */
export function readPlainRequest(bytes: Buffer, before?: HeaderBlock): PlainRequest | undefined {
  if (
    bytes.toString("latin1", 0, METHOD.length) !== METHOD ||
    bytes.indexOf(HEAD_END) !== bytes.length - HEAD_END.length
  ) {
    return undefined;
  }
  const lineEnd = bytes.indexOf(LINE_END);
  const url = REQUEST_LINE.exec(bytes.toString("latin1", 0, lineEnd))?.[1];
  if (url === undefined) return undefined;
  const isRepeated = before !== undefined && bytes.compare(before.bytes, 0, before.bytes.length, lineEnd) === 0;
  const block = isRepeated ? before : readHeaderBlock(bytes.subarray(lineEnd));
  return block && { url, block };
}

function readHeaderBlock(bytes: Buffer): HeaderBlock | undefined {
  const headers: Record<string, string> = {};
  const lines = bytes.toString("latin1", LINE_END.length, bytes.length - HEAD_END.length).split(LINE_END);
  for (const line of lines) {
    const [, name = "", value = ""] = HEADER_LINE.exec(line) ?? [];
    const key = name.toLowerCase();
    if (key === "" || Object.hasOwn(headers, key)) return undefined;
    headers[key] = value.trimEnd();
  }
  if (!headers.host || FOREIGN.some((name) => name in headers)) return undefined;
  const { connection = "keep-alive" } = headers;
  if (connection.toLowerCase() !== "keep-alive") return undefined;
  // A copy: what was read lies in memory that is used for many reads.
  return { bytes: Buffer.from(bytes), headers };
}
