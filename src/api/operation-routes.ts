import type { FastifyInstance, FastifyRequest } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import type { AdminAccess } from "../access/admin.ts";
import { DomainError } from "../core/errors.ts";
import { proveAdmin } from "./admin-hook.ts";
import type { ApiDependencies, ReadinessCheck } from "./dependencies.ts";
import { problems } from "./problem-schema.ts";

const checksSchema = z.array(z.object({ name: z.string(), ready: z.boolean(), detail: z.string().nullable() }));

/** For probes, orchestrators and Prometheus. */
export function operationRoutes(
  app: FastifyInstance,
  { readiness, metrics, server, admin, hasOpenOperations }: ApiDependencies,
): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  const mayKnow = (request: FastifyRequest) => hasOpenOperations || isAdmin(request, admin);
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
    async (request, reply) => {
      const isTold = mayKnow(request);
      const checks = await readiness.check();
      refuseUnready(checks, isTold);
      reply.header("cache-control", "no-store");
      const told = isTold ? checks : [];
      const described = told.map(({ name, isReady, detail }) => ({ name, ready: isReady, detail: detail ?? null }));
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
    async (request, reply) => {
      refuseUnready(await readiness.check(), mayKnow(request));
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
        response: {
          200: { description: "The metrics", content: { "text/plain": { schema: z.string() } } },
          ...problems(401, 429),
        },
      },
    },
    async (request, reply) => {
      if (!hasOpenOperations) proveAdmin(request, admin);
      return reply.type(metrics.contentType).send(await metrics.metrics());
    },
  );
}

function isAdmin(request: FastifyRequest, admin: AdminAccess): boolean {
  try {
    proveAdmin(request, admin);
    return true;
  } catch (error) {
    if (error instanceof DomainError) return false;
    throw error;
  }
}

/** Throws UNAVAILABLE when a check is not ready, with every reason for those who may know it. */
function refuseUnready(checks: readonly ReadinessCheck[], isTold: boolean): void {
  const reasons = checks.flatMap(({ name, isReady, detail }) => {
    if (isReady) return [];
    return detail === undefined ? name : `${name}: ${detail}`;
  });
  if (reasons.length > 0) throw new DomainError("UNAVAILABLE", isTold ? reasons.join("; ") : undefined);
}
