import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Clock } from "../core/clock.ts";
import { answerProblem } from "./problem.ts";

/** How long a peer that has been refused may go on sending: in that time it finds the answer. */
const LINGER_MS = 5_000;

/**
 * Refuses a request whose body is still on its way. A connection that is closed under a sender takes the answer with it:
 * so the answer is written whole, and what still comes is thrown away until the peer has seen it, or for some seconds.
 */
export function refuseEarly(request: FastifyRequest, reply: FastifyReply, error: unknown, clock: Clock): FastifyReply {
  const { problem, headers } = answerProblem(error, { instance: request.url });
  const body = Buffer.from(JSON.stringify(problem));
  for (let i = 0; i < headers.length; i += 2) reply.header(headers[i] ?? "", headers[i + 1] ?? "");
  reply.header("content-length", body.byteLength).header("connection", "close");
  return reply.code(problem.status).send(Readable.from(thenLinger(body, request.raw, clock)));
}

async function* thenLinger(body: Buffer, request: IncomingMessage, clock: Clock) {
  yield body;
  request.resume();
  if (request.readableEnded || request.destroyed) return;
  await new Promise<void>((resolve) => {
    const cancel = clock.after(LINGER_MS, resolve);
    const end = () => {
      cancel();
      resolve();
    };
    request.once("end", end);
    request.once("close", end);
  });
}
