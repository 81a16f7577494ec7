import cookie from "@fastify/cookie";
import type { FastifyInstance } from "fastify";
import { serializerCompiler } from "fastify-type-provider-zod";
import type { AdminAccess } from "../access/admin.ts";
import type { StreamRepository } from "../catalog/stream-repository.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import { requireAdmin } from "./admin-hook.ts";
import { openApiRoutes, registerOpenApi } from "./open-api.ts";
import { operationRoutes, type Readiness, type RenderedMetrics } from "./operation-routes.ts";
import { playbackRoutes } from "./playback-routes.ts";
import { logRequests } from "./request-log.ts";
import type { RunningStreams } from "./running-streams.ts";
import { type ServerFacts, serverRoutes } from "./server-routes.ts";
import { sessionRoutes } from "./session-routes.ts";
import type { StreamDefaults } from "./stream-resource.ts";
import { streamRoutes } from "./stream-routes.ts";
import { validateWithZod } from "./validation.ts";

/** What the API needs of the running system. */
export interface ApiDependencies {
  readonly streams: Pick<StreamRepository, "create" | "get" | "list" | "setKeyHash" | "heartbeat" | "remove">;
  readonly running: RunningStreams;
  readonly admin: AdminAccess;
  readonly clock: Clock;
  readonly log: Logger;
  readonly server: ServerFacts;
  readonly defaults: StreamDefaults;
  /** How long a stream lives on one heartbeat. */
  readonly staleThresholdMs: number;
  readonly readiness: Readiness;
  readonly metrics: RenderedMetrics;
}

/**
 * Adds the REST resources, their OpenAPI document and the operations endpoints to `app`, whose error handler makes the
 * problem bodies. What is not public asks for an admin.
 */
export async function registerApi(app: FastifyInstance, dependencies: ApiDependencies): Promise<void> {
  await app.register(async (api) => {
    api.setValidatorCompiler(validateWithZod);
    api.setSerializerCompiler(serializerCompiler);
    acceptEmptyJson(api);
    logRequests(api, dependencies.log);
    await api.register(cookie);
    await registerOpenApi(api, dependencies);
    await api.register(async (scope) => {
      requireAdmin(scope, dependencies.admin);
      for (const prefix of ["/api/v1/streams", "/streams"]) streamRoutes(scope, prefix, dependencies);
      serverRoutes(scope, dependencies);
    });
    sessionRoutes(api, dependencies);
    await api.register(async (scope) => playbackRoutes(scope, dependencies));
    operationRoutes(api, dependencies);
    openApiRoutes(api);
  });
}

/** Clients that always announce JSON also do so where no body is asked for. */
function acceptEmptyJson(api: FastifyInstance): void {
  const parse = api.getDefaultJsonParser("error", "error");
  api.addContentTypeParser<string>("application/json", { parseAs: "string" }, (request, body, done) => {
    if (body === "") done(null, undefined);
    else void parse(request, body, done);
  });
}
