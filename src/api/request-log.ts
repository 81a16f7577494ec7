import { randomUUID } from "node:crypto";
import type { FastifyInstance } from "fastify";
import type { Logger } from "../core/logger.ts";

/** What another program may call a request: nothing that could forge a log line. */
const REQUEST_ID = /^[\w.:-]{1,64}$/;

/**
 * Gives every request to `app` an id (its sender's `X-Request-Id` when it is a plain one), answers with it, and logs one
 * line when it is through: writes and failures always, mere reads for those who debug. Queries are left out, for they
 * may hold secrets.
 */
export function logRequests(app: FastifyInstance, log: Logger): void {
  app.addHook("onRequest", async (request, reply) => {
    const given = request.headers["x-request-id"];
    request.id = typeof given === "string" && REQUEST_ID.test(given) ? given : randomUUID();
    reply.header("x-request-id", request.id);
  });
  app.addHook("onResponse", async (request, reply) => {
    const { statusCode: status, elapsedTime } = reply;
    const path = request.url.split("?", 1)[0];
    const fields = { requestId: request.id, method: request.method, path, status, elapsedMs: Math.round(elapsedTime) };
    if (status >= 400 || request.method !== "GET")
      log.info({ ...fields, address: request.clientAddress }, "api request");
    else log.debug(fields, "api request");
  });
}
