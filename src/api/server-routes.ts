import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import type { ApiDependencies } from "./dependencies.ts";
import { rtmpServerFor } from "./server-address.ts";
import { instant } from "./stream-resource.ts";

const serverSchema = z
  .object({
    version: z.string(),
    rtmp_server: z.string().describe("What an encoder asks for as its server"),
    encoder: z.string().describe("FFmpeg's name of the encoder of the rungs"),
    started_at: z.iso.datetime(),
    uptime_s: z.int().min(0),
  })
  .meta({ id: "Server" });

export function serverRoutes(app: FastifyInstance, { server, clock }: ApiDependencies): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    "/api/v1/server",
    {
      schema: {
        operationId: "getServer",
        summary: "What an encoder and the studio need to know of this server",
        tags: ["Server"],
        response: { 200: serverSchema },
      },
    },
    async (request) => ({
      version: server.version,
      rtmp_server: rtmpServerFor(request, server),
      encoder: server.encoder,
      started_at: instant(server.startedAtMs),
      uptime_s: Math.max(0, Math.floor((clock.nowMs() - server.startedAtMs) / 1000)),
    }),
  );
}
