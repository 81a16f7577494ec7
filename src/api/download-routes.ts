import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { DomainError } from "../core/errors.ts";
import type { ApiDependencies } from "./dependencies.ts";
import { problems } from "./problem-schema.ts";
import { videoIdOf } from "./video-routes.ts";
import {
  requestDownloadSchema,
  requestedDownloadSchema,
  videoParamsSchema,
  videoRenditionParamsSchema,
} from "./video-schemas.ts";

const PATH = "/api/v1/videos/:id/downloads";

/** Plain MP4 files of videos, made when they are asked for. */
export function downloadRoutes(app: FastifyInstance, { stored }: Pick<ApiDependencies, "stored">): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  const tags = ["Videos"];

  routes.post(
    PATH,
    {
      schema: {
        operationId: "requestDownload",
        summary: "Make an MP4 of a rendition with its sound, without encoding it again",
        params: videoParamsSchema,
        tags,
        body: requestDownloadSchema,
        response: { 200: requestedDownloadSchema, 202: requestedDownloadSchema, ...problems(404, 409, 422) },
      },
    },
    async (request, reply) => {
      const videoId = videoIdOf(request.params.id);
      const { renditionId, name, jobId } = await stored.downloads.request(videoId, request.body.rendition);
      if (jobId !== undefined) reply.code(202).header("location", `/api/jobs/${jobId}`);
      return { rendition: renditionId, url: `/videos/${videoId}/${name}`, job_id: jobId ?? null };
    },
  );

  routes.delete(
    `${PATH}/:rendition`,
    {
      schema: {
        operationId: "deleteDownload",
        summary: "Delete the MP4 of a rendition",
        params: videoRenditionParamsSchema,
        tags,
        response: { 204: z.undefined().describe("The file is gone"), ...problems(404) },
      },
    },
    async (request, reply) => {
      const { id, rendition } = request.params;
      if (await stored.downloads.remove(videoIdOf(id), rendition)) return reply.code(204).send();
      throw new DomainError("NOT_FOUND", `The video has no download of a rendition ${rendition}`);
    },
  );
}
