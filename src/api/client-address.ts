import type { IncomingMessage } from "node:http";
import type { FastifyInstance } from "fastify";

declare module "fastify" {
  interface FastifyRequest {
    /** Who sent it: the peer, unless a trusted proxy says otherwise. */
    clientAddress: string;
  }
}

/** Lets every request to `app` say who sent it. */
export function tellClientAddress(app: FastifyInstance, addressOf: (req: IncomingMessage) => string): void {
  app.decorateRequest("clientAddress", "");
  app.addHook("onRequest", async (request) => {
    request.clientAddress = addressOf(request.raw);
  });
}
