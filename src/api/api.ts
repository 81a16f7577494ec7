import cookie from "@fastify/cookie";
import type { FastifyInstance } from "fastify";
import { serializerCompiler } from "fastify-type-provider-zod";
import { requireAdmin } from "./admin-hook.ts";
import { tellClientAddress } from "./client-address.ts";
import type { ApiDependencies } from "./dependencies.ts";
import { downloadRoutes } from "./download-routes.ts";
import { jobRoutes } from "./job-routes.ts";
import { openApiRoutes, registerOpenApi } from "./open-api.ts";
import { operationRoutes } from "./operation-routes.ts";
import { playbackRoutes } from "./playback-routes.ts";
import { logRequests } from "./request-log.ts";
import { serverRoutes } from "./server-routes.ts";
import { sessionRoutes } from "./session-routes.ts";
import { streamRoutes } from "./stream-routes.ts";
import { importRoutes } from "./upload-import-routes.ts";
import { resumableUploadRoutes } from "./upload-resumable-routes.ts";
import { uploadRoutes } from "./upload-routes.ts";
import { validateWithZod } from "./validation.ts";
import { videoRoutes } from "./video-routes.ts";

/**
 * Adds the REST resources, their OpenAPI document and the operations endpoints to `app`, whose error handler makes the
 * problem bodies. What is not public asks for an admin.
 */
export async function registerApi(app: FastifyInstance, dependencies: ApiDependencies): Promise<void> {
  await app.register(async (api) => {
    api.setValidatorCompiler(validateWithZod);
    api.setSerializerCompiler(serializerCompiler);
    acceptEmptyJson(api);
    tellClientAddress(api, dependencies.addressOf);
    logRequests(api, dependencies.log);
    await api.register(cookie);
    await registerOpenApi(api, dependencies);
    await api.register(async (scope) => {
      requireAdmin(scope, dependencies.admin);
      for (const prefix of ["/api/v1/streams", "/streams"]) streamRoutes(scope, prefix, dependencies);
      videoRoutes(scope, dependencies);
      downloadRoutes(scope, dependencies);
      await scope.register(async (uploads) => uploadRoutes(uploads, dependencies));
      importRoutes(scope, dependencies);
      jobRoutes(scope, dependencies);
      serverRoutes(scope, dependencies);
    });
    await api.register(async (scope) => resumableUploadRoutes(scope, dependencies));
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
