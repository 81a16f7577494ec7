import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { TestContext } from "node:test";
import { OriginClient } from "./origin-client.ts";

export interface ProxiedAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** The answer is cut off before its first byte. */
  isCut?: boolean;
}

/** What is wrong with an origin: sees the path with its query before it is asked, and changes the answer. */
export interface Fault {
  /** Path and query to ask the origin for instead. */
  readonly redirect?: (path: string) => string;
  readonly spoil?: (path: string, answer: ProxiedAnswer, request: IncomingMessage) => void;
}

/** Stands before an origin and makes it break rules, so that a checker can be seen to notice. */
export async function startFaultyProxy(t: TestContext, originUrl: string, faults: readonly Fault[]): Promise<string> {
  const stop = new AbortController();
  const client = new OriginClient(stop.signal);
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url ?? "/";
    const asked = faults.reduce((text, { redirect }) => redirect?.(text) ?? text, path);
    const { "accept-encoding": encoding, ...rest } = request.headers;
    const { connection: _connection, ...headers } = rest;
    const {
      status,
      headers: got,
      body,
    } = await client.ask(new URL(asked, originUrl).href, {
      method: request.method === "HEAD" ? "HEAD" : "GET",
      headers: textHeaders(encoding === undefined ? headers : { ...headers, "accept-encoding": encoding }),
    });
    const answered: ProxiedAnswer = { status, headers: { ...got }, body };
    for (const { spoil } of faults) spoil?.(path, answered, request);
    if (answered.isCut) response.destroy();
    else send(request, response, answered);
  };
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    stop.abort();
    client.close();
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  return new URL(new URL(originUrl).pathname, `http://127.0.0.1:${address.port}`).href;
}

/** Lengths follow the body, unless the answer had none: then it is chunked, as it was. */
function send(request: IncomingMessage, response: ServerResponse, { status, headers, body }: ProxiedAnswer): void {
  const { connection: _connection, "keep-alive": _keepAlive, "transfer-encoding": _coding, ...kept } = headers;
  const hasLength = kept["content-length"] !== undefined && request.method !== "HEAD";
  response.writeHead(status, hasLength ? { ...kept, "content-length": body.length } : kept);
  response.end(body);
}

function textHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}
