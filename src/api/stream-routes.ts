import type { FastifyInstance, FastifyRequest } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { hashStreamKey } from "../access/stream-keys.ts";
import type { StreamRecord } from "../catalog/stream-record.ts";
import type { NewStream } from "../catalog/stream-repository.ts";
import { DomainError } from "../core/errors.ts";
import { newStreamId, newStreamKey, parseStreamId, type StreamId } from "../core/ids.ts";
import type { ApiDependencies } from "./dependencies.ts";
import { linkNext } from "./paging.ts";
import { problems } from "./problem-schema.ts";
import { baseUrlFor, rtmpServerFor } from "./server-address.ts";
import { detail, instant, type StreamDefaults, summarize } from "./stream-resource.ts";
import {
  type CreateStreamBody,
  createdStreamSchema,
  createStreamSchema,
  heartbeatSchema,
  keyGrantSchema,
  listQuerySchema,
  streamPageSchema,
  streamParamsSchema,
  streamSchema,
} from "./stream-schemas.ts";

/** Streams as a resource under `prefix`; the same one under every prefix. */
export function streamRoutes(app: FastifyInstance, prefix: string, dependencies: ApiDependencies): void {
  const { streams, running, server, defaults } = dependencies;
  const routes = app.withTypeProvider<ZodTypeProvider>();
  const operation = (name: string) => (prefix.startsWith("/api/") ? name : `${name}Plain`);
  const tags = [prefix.startsWith("/api/") ? "Streams" : "Streams at /streams"];
  const byId = { params: streamParamsSchema, tags };
  const contextOf = (request: FastifyRequest) => ({ defaults, baseUrl: baseUrlFor(request, server) });

  routes.post(
    prefix,
    {
      schema: {
        operationId: operation("createStream"),
        summary: "Create a stream; its key is shown in this answer and never again",
        tags,
        body: createStreamSchema,
        response: { 201: createdStreamSchema, ...problems(400, 409, 413, 415, 422, 501, 503) },
      },
    },
    async (request, reply) => {
      const streamKey = newStreamKey();
      const record = await create(request.body, streamKey, dependencies);
      const body = detail(record, running.status(record.streamId), contextOf(request));
      const grant = { stream_key: streamKey, rtmp_url: `${rtmpServerFor(request, server)}/${streamKey}` };
      reply.code(201).header("location", `${prefix}/${record.streamId}`);
      return record.ingestType === "rtmp" ? { ...body, ...grant } : body;
    },
  );

  routes.get(
    prefix,
    {
      schema: {
        operationId: operation("listStreams"),
        summary: "List streams, newest first",
        tags,
        querystring: listQuerySchema,
        response: { 200: streamPageSchema, ...problems(400) },
      },
    },
    async (request, reply) => {
      const { limit, cursor, status } = request.query;
      const page = await streams.list({
        limit,
        ...(cursor !== undefined && { cursor }),
        ...(status !== undefined && { status }),
      });
      if (page.nextCursor !== undefined) linkNext(reply, prefix, { ...request.query, cursor: page.nextCursor });
      return {
        streams: page.streams.map((record) => summarize(record, running.status(record.streamId))),
        next_cursor: page.nextCursor ?? null,
      };
    },
  );

  routes.get(
    `${prefix}/:id`,
    {
      schema: {
        operationId: operation("getStream"),
        summary: "All that is known of a stream",
        ...byId,
        response: { 200: streamSchema, ...problems(404) },
      },
    },
    async (request) => {
      const record = found(await streams.get(idOf(request.params.id)), request.params.id);
      return detail(record, running.status(record.streamId), contextOf(request));
    },
  );

  routes.delete(
    `${prefix}/:id`,
    {
      schema: {
        operationId: operation("deleteStream"),
        summary: "End the broadcast and delete the stream",
        ...byId,
        response: { 204: z.undefined().describe("The stream is gone"), ...problems(404) },
      },
    },
    async (request, reply) => {
      const streamId = idOf(request.params.id);
      // The key goes first, or the publisher could come back in between.
      if (!(await streams.remove(streamId))) throw notFound(streamId);
      await running.stop(streamId, "The stream was deleted");
      return reply.code(204).send();
    },
  );

  routes.post(
    `${prefix}/:id/heartbeat`,
    {
      schema: {
        operationId: operation("heartbeat"),
        summary: "Say that a stream is still wanted; a broadcast that had heartbeats ends when they stop",
        ...byId,
        response: { 200: heartbeatSchema, ...problems(404) },
      },
    },
    async (request) => {
      const record = found(await streams.heartbeat(idOf(request.params.id)), request.params.id);
      const atMs = record.lastHeartbeatAtMs ?? dependencies.clock.nowMs();
      return {
        stream_id: record.streamId,
        status: summarize(record, running.status(record.streamId)).status,
        last_heartbeat_at: instant(atMs),
        stale_at: instant(atMs + dependencies.staleThresholdMs),
      };
    },
  );

  routes.post(
    `${prefix}/:id/key`,
    {
      schema: {
        operationId: operation("rotateKey"),
        summary: "Make a new stream key; the old one opens no connection any more",
        ...byId,
        response: { 200: keyGrantSchema, ...problems(404) },
      },
    },
    async (request) => {
      const streamKey = newStreamKey();
      const record = found(await streams.setKeyHash(idOf(request.params.id), keyFields(streamKey)), request.params.id);
      const rtmpUrl = `${rtmpServerFor(request, server)}/${streamKey}`;
      return { stream_id: record.streamId, stream_key: streamKey, rtmp_url: rtmpUrl };
    },
  );
}

/** The id in a path; what could be no id is an id that no stream has. Throws STREAM_NOT_FOUND. */
export function idOf(text: string): StreamId {
  const streamId = parseStreamId(text);
  if (!streamId) throw notFound(text);
  return streamId;
}

/** The record, or STREAM_NOT_FOUND thrown. */
export function found(record: StreamRecord | undefined, id: string): StreamRecord {
  if (!record || record.status === "deleted") throw notFound(id);
  return record;
}

function notFound(id: string): DomainError {
  return new DomainError("STREAM_NOT_FOUND", `No stream has the id ${id.slice(0, 64)}`);
}

async function create(
  body: CreateStreamBody,
  streamKey: string,
  { streams, running, defaults }: ApiDependencies,
): Promise<StreamRecord> {
  if (body.source_url !== undefined) {
    throw new DomainError("NOT_IMPLEMENTED", "source_url: streams cannot be pulled yet; publish by RTMP instead");
  }
  const record = await streams.create(newStream(body, streamKey, defaults));
  if (record.ingestType !== "pattern") return record;
  try {
    await running.startPattern(record.streamId);
  } catch (error) {
    await streams.remove(record.streamId);
    throw error;
  }
  return found(await streams.get(record.streamId), record.streamId);
}

function newStream(body: CreateStreamBody, streamKey: string, defaults: StreamDefaults): NewStream {
  return {
    streamId: body.stream_id === undefined ? newStreamId() : idOf(body.stream_id),
    name: body.name ?? null,
    ingestType: body.ingest_type,
    ...keyFields(streamKey),
    settings: {
      qualities: body.qualities ?? null,
      enableHls: body.enable_hls,
      enableDash: body.enable_dash,
      lowLatency: body.low_latency ?? defaults.lowLatency,
      transcode: body.transcode ?? (body.qualities ? true : defaults.transcode),
      ...(body.record !== undefined && { record: body.record }),
      ...(body.part_duration_ms !== undefined && { partDurationMs: body.part_duration_ms }),
      ...(body.segment_duration_ms !== undefined && { segmentDurationMs: body.segment_duration_ms }),
      ...(body.window_segments !== undefined && { windowSegmentCount: body.window_segments }),
      ...(body.reconnect_window_ms !== undefined && { reconnectWindowMs: body.reconnect_window_ms }),
    },
  };
}

function keyFields(streamKey: string): { keyHash: string; keyHint: string } {
  return { keyHash: hashStreamKey(streamKey), keyHint: streamKey.slice(-4) };
}
