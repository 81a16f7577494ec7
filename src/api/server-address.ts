import type { FastifyRequest } from "fastify";
import type { ServerFacts } from "./dependencies.ts";

/** Under which address whoever sent this reaches us: the public URL when it is configured, else what they asked for. */
export function baseUrlFor(request: FastifyRequest, { publicUrl }: ServerFacts): string {
  if (publicUrl !== undefined) return publicUrl.replace(/\/+$/, "");
  return `${request.protocol}://${askedHost(request).host}`;
}

/** Where encoders publish, without key: `rtmp://host:port/live`, on the host of `baseUrlFor`. */
export function rtmpServerFor(request: FastifyRequest, { publicUrl, rtmpPort }: ServerFacts): string {
  const { hostname } = publicUrl === undefined ? askedHost(request) : new URL(publicUrl);
  return `rtmp://${hostname}:${rtmpPort()}/live`;
}

/** The Host header as far as it is one; where we were reached when it is not. */
function askedHost(request: FastifyRequest): URL {
  const text = `${request.protocol}://${request.headers.host ?? ""}`;
  if (URL.canParse(text)) {
    const url = new URL(text);
    if (url.pathname === "/" && url.username === "" && url.search === "" && url.hash === "") return url;
  }
  const { localAddress = "localhost", localPort = 80 } = request.socket;
  return new URL(
    `${request.protocol}://${localAddress.includes(":") ? `[${localAddress}]` : localAddress}:${localPort}`,
  );
}
