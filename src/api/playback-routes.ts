import { createHash } from "node:crypto";
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import type { StreamRecord } from "../catalog/stream-record.ts";
import type { VideoRecord } from "../catalog/video-record.ts";
import { DomainError } from "../core/errors.ts";
import { parseStreamId, parseVideoId } from "../core/ids.ts";
import { evaluatePreconditions } from "../http/conditional.ts";
import { CONTENT_TYPES } from "../http/content-types.ts";
import { PUBLIC_CORS_HEADERS } from "../http/cors.ts";
import type { ApiDependencies } from "./dependencies.ts";
import { problems } from "./problem-schema.ts";
import { mediaPath, playbackState } from "./stream-resource.ts";
import { found, idOf } from "./stream-routes.ts";
import { type PlaybackBody, playbackSchema, streamParamsSchema } from "./stream-schemas.ts";
import { describePlayback } from "./video-resource.ts";
import { foundVideo, videoIdOf } from "./video-routes.ts";
import { type VideoPlaybackBody, videoParamsSchema, videoPlaybackSchema } from "./video-schemas.ts";

const anyPlaybackSchema = z
  .discriminatedUnion("kind", [
    playbackSchema.extend({ kind: z.literal("stream") }).meta({ id: "PlaybackOfStream" }),
    videoPlaybackSchema.extend({ kind: z.literal("video") }).meta({ id: "PlaybackOfVideo" }),
  ])
  .meta({ id: "AnyPlayback" });

type AnyPlaybackBody = z.output<typeof anyPlaybackSchema>;

const BRIEFLY = "public, max-age=1";

/** What a player needs of the API, from any origin and without credentials. `app` must be a scope of its own. */
export function playbackRoutes(app: FastifyInstance, dependencies: ApiDependencies): void {
  const { streams, running, videos } = dependencies;
  const routes = app.withTypeProvider<ZodTypeProvider>();
  const shared = { params: streamParamsSchema, tags: ["Playback"], security: [] };
  app.addHook("onRequest", async (_request, reply) => {
    for (let i = 0; i < PUBLIC_CORS_HEADERS.length; i += 2) {
      reply.header(PUBLIC_CORS_HEADERS[i] ?? "", PUBLIC_CORS_HEADERS[i + 1]);
    }
  });

  routes.get(
    "/api/v1/playback/:id",
    {
      schema: {
        operationId: "getAnyPlayback",
        summary: "What a player needs of what has this id, be it a stream or a video",
        ...shared,
        params: z.object({ id: z.string().describe("stream_id or video_id") }),
        response: { 200: anyPlaybackSchema, ...problems(404) },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const playback = await anyPlayback(id, dependencies);
      if (!playback) throw new DomainError("NOT_FOUND", `No stream or video has the id ${id.slice(0, 64)}`);
      reply.header("cache-control", BRIEFLY);
      return playback;
    },
  );

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
      reply.header("cache-control", BRIEFLY);
      return streamPlayback(record, dependencies);
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
      reply.header("cache-control", BRIEFLY);
      return videoPlayback(record, dependencies);
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

async function anyPlayback(id: string, dependencies: ApiDependencies): Promise<AnyPlaybackBody | undefined> {
  const [streamId, videoId] = [parseStreamId(id), parseVideoId(id)];
  const stream = streamId && (await dependencies.streams.get(streamId));
  if (stream && stream.status !== "deleted") return { kind: "stream", ...streamPlayback(stream, dependencies) };
  const video = videoId && (await dependencies.videos.get(videoId));
  return video && { kind: "video", ...(await videoPlayback(video, dependencies)) };
}

function streamPlayback(record: StreamRecord, { running }: ApiDependencies): PlaybackBody {
  const { enableHls, enableDash, lowLatency } = record.settings;
  return {
    stream_id: record.streamId,
    name: record.name ?? record.streamId,
    state: playbackState(record, running.status(record.streamId)),
    low_latency: lowLatency,
    hls_url: enableHls ? `${mediaPath(record)}/master.m3u8` : null,
    dash_url: enableDash ? `${mediaPath(record)}/manifest.mpd` : null,
  };
}

async function videoPlayback(record: VideoRecord, { videos, stored }: ApiDependencies): Promise<VideoPlaybackBody> {
  const [isPlayable, artifacts] = await Promise.all([
    record.status === "ready" || stored.isPlayable(record.videoId),
    videos.artifacts(record.videoId),
  ]);
  return describePlayback(record, isPlayable, artifacts);
}
