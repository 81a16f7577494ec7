import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { DomainError } from "../core/errors.ts";
import type { ApiDependencies, ReadinessCheck } from "./dependencies.ts";
import { problems } from "./problem-schema.ts";

const checksSchema = z.array(z.object({ name: z.string(), ready: z.boolean(), detail: z.string().nullable() }));

/** For probes, orchestrators and Prometheus. */
export function operationRoutes(app: FastifyInstance, { readiness, metrics, server }: ApiDependencies): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  const shared = { tags: ["Operations"], security: [] };

  routes.get(
    "/healthz",
    {
      schema: {
        operationId: "isAlive",
        summary: "Whether the process answers",
        ...shared,
        response: { 200: z.object({ status: z.literal("ok") }) },
      },
    },
    async () => ({ status: "ok" as const }),
  );

  routes.get(
    "/readyz",
    {
      schema: {
        operationId: "isReady",
        summary: "Whether streams can be taken: ffmpeg, store and catalog work",
        ...shared,
        response: { 200: z.object({ status: z.literal("ready"), checks: checksSchema }), ...problems(503) },
      },
    },
    async (_request, reply) => {
      const checks = await readiness.check();
      refuseUnready(checks);
      reply.header("cache-control", "no-store");
      const described = checks.map(({ name, isReady, detail }) => ({ name, ready: isReady, detail: detail ?? null }));
      return { status: "ready" as const, checks: described };
    },
  );

  routes.get(
    "/health",
    {
      schema: {
        operationId: "getHealth",
        summary: "Name, version and whether all is well",
        ...shared,
        response: {
          200: z.object({ status: z.literal("healthy"), service: z.string(), version: z.string() }),
          ...problems(503),
        },
      },
    },
    async (_request, reply) => {
      refuseUnready(await readiness.check());
      reply.header("cache-control", "no-store");
      return { status: "healthy" as const, service: "Headwater", version: server.version };
    },
  );

  routes.get(
    "/metrics",
    {
      schema: {
        operationId: "getMetrics",
        summary: "Metrics as Prometheus reads them",
        ...shared,
        response: { 200: { description: "The metrics", content: { "text/plain": { schema: z.string() } } } },
      },
    },
    async (_request, reply) => {
      return reply.type(metrics.contentType).send(await metrics.metrics());
    },
  );
}

/** Throws UNAVAILABLE with every reason when a check is not ready. */
function refuseUnready(checks: readonly ReadinessCheck[]): void {
  const reasons = checks.flatMap(({ name, isReady, detail }) => {
    if (isReady) return [];
    return detail === undefined ? name : `${name}: ${detail}`;
  });
  if (reasons.length > 0) throw new DomainError("UNAVAILABLE", reasons.join("; "));
}
