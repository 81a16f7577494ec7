import type { FastifyReply } from "fastify";

/** RFC 8288: where the next page is, with everything that this one was asked for. */
export function linkNext(reply: FastifyReply, path: string, query: Record<string, string | number | undefined>): void {
  const parameters = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, `${value}`]],
  );
  reply.header("link", `<${path}?${new URLSearchParams(parameters)}>; rel="next"`);
}
