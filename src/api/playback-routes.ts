import { createHash } from "node:crypto";
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { DomainError } from "../core/errors.ts";
import { evaluatePreconditions } from "../http/conditional.ts";
import { CONTENT_TYPES } from "../http/content-types.ts";
import { PUBLIC_CORS_HEADERS } from "../http/cors.ts";
import type { ApiDependencies } from "./dependencies.ts";
import { problems } from "./problem-schema.ts";
import { mediaPath, playbackState } from "./stream-resource.ts";
import { found, idOf } from "./stream-routes.ts";
import { playbackSchema, streamParamsSchema } from "./stream-schemas.ts";
import { describePlayback } from "./video-resource.ts";
import { foundVideo, videoIdOf } from "./video-routes.ts";
import { videoParamsSchema, videoPlaybackSchema } from "./video-schemas.ts";

/** What a player needs of the API, from any origin and without credentials. `app` must be a scope of its own. */
export function playbackRoutes(app: FastifyInstance, { streams, running, videos, stored }: ApiDependencies): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  const shared = { params: streamParamsSchema, tags: ["Playback"], security: [] };
  app.addHook("onRequest", async (_request, reply) => {
    for (let i = 0; i < PUBLIC_CORS_HEADERS.length; i += 2) {
      reply.header(PUBLIC_CORS_HEADERS[i] ?? "", PUBLIC_CORS_HEADERS[i + 1]);
    }
  });

  routes.get(
    "/api/v1/streams/:id/playback",
    {
      schema: {
        operationId: "getPlayback",
        summary: "What a player needs: whether to wait or to play, and what",
        ...shared,
        response: { 200: playbackSchema, ...problems(404) },
      },
    },
    async (request, reply) => {
      const record = found(await streams.get(idOf(request.params.id)), request.params.id);
      const { enableHls, enableDash, lowLatency } = record.settings;
      reply.header("cache-control", "public, max-age=1");
      return {
        stream_id: record.streamId,
        name: record.name ?? record.streamId,
        state: playbackState(record, running.status(record.streamId)),
        low_latency: lowLatency,
        hls_url: enableHls ? `${mediaPath(record)}/master.m3u8` : null,
        dash_url: enableDash ? `${mediaPath(record)}/manifest.mpd` : null,
      };
    },
  );

  routes.get(
    "/api/v1/videos/:id/playback",
    {
      schema: {
        operationId: "getVideoPlayback",
        summary: "What a player of a video needs: whether it can be played yet, and what",
        ...shared,
        params: videoParamsSchema,
        response: { 200: videoPlaybackSchema, ...problems(404) },
      },
    },
    async (request, reply) => {
      const record = foundVideo(await videos.get(videoIdOf(request.params.id)), request.params.id);
      reply.header("cache-control", "public, max-age=1");
      const [isPlayable, artifacts] = await Promise.all([
        record.status === "ready" || stored.isPlayable(record.videoId),
        videos.artifacts(record.videoId),
      ]);
      return describePlayback(record, isPlayable, artifacts);
    },
  );

  routes.get(
    "/api/v1/streams/:id/thumbnail.jpg",
    {
      schema: {
        operationId: "getThumbnail",
        summary: "The newest still picture of a live stream",
        ...shared,
        response: {
          200: { description: "The picture", content: { "image/jpeg": { schema: z.unknown() } } },
          304: z.undefined().describe("As in If-None-Match"),
          ...problems(404),
        },
      },
    },
    async (request, reply) => {
      const streamId = idOf(request.params.id);
      const still = await running.still(streamId);
      if (!still) throw new DomainError("NOT_FOUND", "There is no picture of this stream now");
      const etag = `"${createHash("sha1").update(still).digest("base64url")}"`;
      reply.header("etag", etag).header("cache-control", "public, max-age=2").type(CONTENT_TYPES.jpg);
      const outcome = evaluatePreconditions(request.method, request.headers, { etag });
      return outcome === "not-modified" ? reply.code(304).send() : reply.send(still);
    },
  );
}
