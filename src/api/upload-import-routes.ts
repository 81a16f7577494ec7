import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { ApiDependencies } from "./dependencies.ts";
import { problems } from "./problem-schema.ts";
import { importStartedSchema, importVideoSchema } from "./upload-schemas.ts";

/** Videos that are fetched from other servers. */
export function importRoutes(app: FastifyInstance, { uploads }: ApiDependencies): void {
  app.withTypeProvider<ZodTypeProvider>().post(
    "/api/v1/videos/import",
    {
      schema: {
        operationId: "importVideo",
        summary: "Fetch a video from a URL; answers at once with a job to follow",
        tags: ["Videos"],
        body: importVideoSchema,
        response: { 202: importStartedSchema, ...problems(400, 422, 503) },
      },
    },
    async (request, reply) => {
      const { videoId, jobId } = await uploads.imports.start(request.body);
      reply.code(202).header("location", `/api/v1/jobs/${jobId}`);
      return { video_id: videoId, job_id: jobId };
    },
  );
}
