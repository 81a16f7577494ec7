import type { FastifyInstance, FastifyRequest } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { VideoRecord } from "../catalog/video-record.ts";
import { DomainError } from "../core/errors.ts";
import { parseStreamId, type StreamId } from "../core/ids.ts";
import { refuseEarly } from "../http/early-answer.ts";
import type { TakenVideo } from "../library/library.ts";
import { checkSize, limitTime } from "../upload/guarded-bytes.ts";
import { MAX_FORM_EXTRA_BYTES, MultipartForm } from "../upload/multipart-form.ts";
import type { ApiDependencies } from "./dependencies.ts";
import { problems } from "./problem-schema.ts";
import { baseUrlFor } from "./server-address.ts";
import {
  checkUploadText,
  readText,
  uploadFileSchema,
  uploadVideoSchema,
  videoUploadedSchema,
} from "./upload-schemas.ts";
import { readVideo } from "./video-details.ts";
import { describeVideo } from "./video-resource.ts";
import { videoSchema } from "./video-schemas.ts";

/** Both documents' names of the file's field are known at both of their paths. */
const FILE_FIELDS = ["video", "file"];

/** Videos that come as one form: the paths of both documents, which differ in the body of the answer. `scope` is theirs alone. */
export function uploadRoutes(scope: FastifyInstance, dependencies: ApiDependencies): void {
  const { server, clock } = dependencies;
  // The body is not Fastify's: it goes to the store as it comes, and may be far larger than what is parsed.
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser("multipart/form-data", (_request, _payload, done) => done(null));
  scope.setErrorHandler(async (error, request, reply) => {
    if (request.raw.complete) throw error;
    return refuseEarly(request, reply, error, clock);
  });
  const routes = scope.withTypeProvider<ZodTypeProvider>();
  const form = { tags: ["Videos"], consumes: ["multipart/form-data"] };
  const refusals = problems(400, 404, 413, 415, 422, 503, 507);

  routes.post(
    "/api/videos/upload",
    {
      validatorCompiler: leaveBody,
      schema: {
        operationId: "uploadVideoPlain",
        summary: "Upload a video as a form; answers when all of it is there and was looked into",
        ...form,
        body: uploadVideoSchema,
        response: { 201: videoUploadedSchema, ...refusals },
      },
    },
    async (request, reply) => {
      const { video, metadata } = await takeForm(request, dependencies);
      reply.code(201).header("location", videoPath(video));
      return { videoId: video.videoId, message: "Video uploaded successfully", metadata };
    },
  );

  routes.post(
    "/api/v1/upload",
    {
      validatorCompiler: leaveBody,
      schema: {
        operationId: "uploadVideo",
        summary: "Upload a video as a form; answers when all of it is there and was looked into",
        ...form,
        body: uploadFileSchema,
        response: { 201: videoSchema, ...refusals },
      },
    },
    async (request, reply) => {
      const { video } = await takeForm(request, dependencies);
      reply.code(201).header("location", videoPath(video));
      return describeVideo(await readVideo(video, dependencies), baseUrlFor(request, server));
    },
  );
}

/** The schema is there for the document: nothing is parsed before the route reads it. */
const leaveBody = () => (body: unknown) => ({ value: body });

const videoPath = ({ videoId }: VideoRecord) => `/api/v1/videos/${videoId}`;

async function takeForm(request: FastifyRequest, dependencies: ApiDependencies): Promise<TakenVideo> {
  const { raw } = request;
  const { uploads, streams, clock } = dependencies;
  const { receiver, slots } = uploads;
  using _slot = slots.take();
  checkSize(Number(raw.headers["content-length"] ?? 0) - MAX_FORM_EXTRA_BYTES, receiver.limits);
  request.keepOwnTime();
  const form = new MultipartForm({
    headers: raw.headers,
    bytes: limitTime(raw.iterator({ destroyOnReturn: false }), receiver.limits, clock),
    fileFields: FILE_FIELDS,
    checkField: checkUploadText,
  });
  let streamId: StreamId | undefined;
  try {
    const { fileName, bytes } = await form.file();
    const taken = await receiver.receive(bytes, async () => {
      const fields = await form.fields();
      streamId = await streamOf(fields.get("stream_id"), dependencies);
      const title = readText("title", fields.get("title"));
      return { fileName, title, description: readText("description", fields.get("description")) };
    });
    if (streamId) await streams.setVideo(streamId, taken.video.videoId);
    return taken;
  } finally {
    form.stop();
  }
}

/** The stream that is to play the video while it is not live. Throws STREAM_NOT_FOUND. */
async function streamOf(text: string | undefined, { streams }: ApiDependencies): Promise<StreamId | undefined> {
  if (text === undefined || text === "") return undefined;
  const streamId = parseStreamId(text);
  if (streamId && (await streams.get(streamId))) return streamId;
  throw new DomainError("STREAM_NOT_FOUND", `No stream has the id ${text.slice(0, 64)}`);
}
