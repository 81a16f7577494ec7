import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import type { VideoRecord } from "../catalog/video-record.ts";
import { DomainError } from "../core/errors.ts";
import { parseVideoId, type VideoId } from "../core/ids.ts";
import type { ApiDependencies } from "./dependencies.ts";
import { linkNext } from "./paging.ts";
import { problems } from "./problem-schema.ts";
import { baseUrlFor } from "./server-address.ts";
import { readVideo } from "./video-details.ts";
import { describeVideo, summarizeVideo } from "./video-resource.ts";
import {
  changeVideoSchema,
  transcodeSchema,
  transcodeStartedSchema,
  videoListQuerySchema,
  videoPageSchema,
  videoParamsSchema,
  videoRenditionParamsSchema,
  videoSchema,
} from "./video-schemas.ts";

const PREFIX = "/api/v1/videos";

/** Stored videos as a resource. Uploads make them. */
export function videoRoutes(app: FastifyInstance, dependencies: ApiDependencies): void {
  const { videos, stored, server } = dependencies;
  const routes = app.withTypeProvider<ZodTypeProvider>();
  const tags = ["Videos"];
  const byId = { params: videoParamsSchema, tags };

  routes.get(
    PREFIX,
    {
      schema: {
        operationId: "listVideos",
        summary: "List videos, newest first",
        tags,
        querystring: videoListQuerySchema,
        response: { 200: videoPageSchema, ...problems(400) },
      },
    },
    async (request, reply) => {
      const { limit, cursor, status } = request.query;
      const page = await videos.list({
        limit,
        ...(cursor !== undefined && { cursor }),
        ...(status !== undefined && { status }),
      });
      if (page.nextCursor !== undefined) linkNext(reply, PREFIX, { ...request.query, cursor: page.nextCursor });
      const summaries = page.videos.map(async (record) => {
        const isMade = record.status === "ready";
        const [share, artifacts] = await Promise.all([
          isMade ? 1 : stored.progress(record.videoId).then((progress) => progress.share),
          videos.artifacts(record.videoId),
        ]);
        return summarizeVideo(record, share, artifacts);
      });
      return { videos: await Promise.all(summaries), next_cursor: page.nextCursor ?? null };
    },
  );

  routes.get(
    `${PREFIX}/:id`,
    {
      schema: {
        operationId: "getVideo",
        summary: "All that is known of a video",
        ...byId,
        response: { 200: videoSchema, ...problems(404) },
      },
    },
    async (request) => {
      const record = foundVideo(await videos.get(videoIdOf(request.params.id)), request.params.id);
      return describeVideo(await readVideo(record, dependencies), baseUrlFor(request, server));
    },
  );

  routes.patch(
    `${PREFIX}/:id`,
    {
      schema: {
        operationId: "changeVideo",
        summary: "Change a video's title or description",
        ...byId,
        body: changeVideoSchema,
        response: { 200: videoSchema, ...problems(404, 422) },
      },
    },
    async (request) => {
      const { title, description } = request.body;
      const change = { ...(title !== undefined && { title }), ...(description !== undefined && { description }) };
      const record = foundVideo(await videos.describe(videoIdOf(request.params.id), change), request.params.id);
      return describeVideo(await readVideo(record, dependencies), baseUrlFor(request, server));
    },
  );

  routes.delete(
    `${PREFIX}/:id`,
    {
      schema: {
        operationId: "deleteVideo",
        summary: "Delete a video in any state, with all that was made of it",
        ...byId,
        response: { 204: z.undefined().describe("The video is gone"), ...problems(404) },
      },
    },
    async (request, reply) => {
      const videoId = videoIdOf(request.params.id);
      if (!(await stored.remove(videoId))) throw videoNotFound(videoId);
      return reply.code(204).send();
    },
  );

  // The documented path, and the same one where everything else is.
  for (const path of ["/api/videos/:id/transcode", `${PREFIX}/:id/transcode`]) {
    routes.post(
      path,
      {
        schema: {
          operationId: path.startsWith(PREFIX) ? "transcodeVideo" : "transcodeVideoPlain",
          summary: "Make renditions that are missing; answers at once with a job to follow",
          ...byId,
          body: transcodeSchema,
          response: { 202: transcodeStartedSchema, ...problems(404, 409, 422) },
        },
      },
      async (request, reply) => {
        const videoId = videoIdOf(request.params.id);
        const { profiles } = request.body;
        const jobId = await stored.transcode(videoId, { profiles });
        reply.code(202).header("location", `/api/jobs/${jobId}`);
        return { jobId, videoId, message: "Transcoding started" };
      },
    );
  }

  routes.post(
    `${PREFIX}/:id/renditions/:rendition/retry`,
    {
      schema: {
        operationId: "retryRendition",
        summary: "Make one rendition anew",
        params: videoRenditionParamsSchema,
        tags,
        response: { 202: videoSchema, ...problems(404, 409) },
      },
    },
    async (request, reply) => {
      const { id, rendition } = request.params;
      const videoId = videoIdOf(id);
      foundVideo(await videos.get(videoId), id);
      await stored.retryRendition(videoId, rendition);
      const record = foundVideo(await videos.get(videoId), id);
      reply.code(202);
      return describeVideo(await readVideo(record, dependencies), baseUrlFor(request, server));
    },
  );

  routes.post(
    `${PREFIX}/:id/cancel`,
    {
      schema: {
        operationId: "cancelVideo",
        summary: "Make no more of a video; what can be played stays so",
        ...byId,
        response: { 200: videoSchema, ...problems(404, 409) },
      },
    },
    async (request) => {
      const videoId = videoIdOf(request.params.id);
      foundVideo(await videos.get(videoId), request.params.id);
      await stored.cancel(videoId);
      const record = foundVideo(await videos.get(videoId), request.params.id);
      return describeVideo(await readVideo(record, dependencies), baseUrlFor(request, server));
    },
  );
}

/** The id in a path; what could be no id is an id that no video has. Throws VIDEO_NOT_FOUND. */
export function videoIdOf(text: string): VideoId {
  const videoId = parseVideoId(text);
  if (!videoId) throw videoNotFound(text);
  return videoId;
}

/** The record, or VIDEO_NOT_FOUND thrown. */
export function foundVideo(record: VideoRecord | undefined, id: string): VideoRecord {
  if (!record) throw videoNotFound(id);
  return record;
}

function videoNotFound(id: string): DomainError {
  return new DomainError("VIDEO_NOT_FOUND", `No video has the id ${id.slice(0, 64)}`);
}
