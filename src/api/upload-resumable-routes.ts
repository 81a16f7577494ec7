import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { DomainError } from "../core/errors.ts";
import { parseVideoId, type VideoId } from "../core/ids.ts";
import { refuseEarly } from "../http/early-answer.ts";
import { cleanFileName } from "../upload/file-name.ts";
import type { ResumableState } from "../upload/resumable-uploads.ts";
import { parseUploadMetadata } from "../upload/upload-metadata.ts";
import { requireAdmin } from "./admin-hook.ts";
import type { ApiDependencies } from "./dependencies.ts";
import { problems } from "./problem-schema.ts";
import { readText } from "./upload-schemas.ts";

const PREFIX = "/api/v1/uploads";
const VERSION = "1.0.0";
const PIECE = "application/offset+octet-stream";
const PATIENCE_S = 86_400;

/** For pages of other origins, which then send the admin token: a cookie never comes along. */
const CORS = {
  "access-control-allow-origin": "*",
  "access-control-expose-headers":
    "Location, Retry-After, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, Upload-Expires, Upload-Length, Upload-Metadata, Upload-Offset, X-Request-Id",
};
const PREFLIGHT = {
  "access-control-allow-methods": "POST, HEAD, PATCH, DELETE, OPTIONS",
  "access-control-allow-headers":
    "Authorization, Content-Type, Tus-Resumable, Upload-Length, Upload-Metadata, Upload-Offset, X-Request-Id, X-Requested-With",
  "access-control-max-age": String(PATIENCE_S),
};

const headerSchemas = {
  create: z.object({
    "tus-resumable": z.string().describe(VERSION),
    "upload-length": z.string().describe("Size of the file in bytes"),
    "upload-metadata": z
      .string()
      .optional()
      .describe("`filename`, `title` and `description`, each with its value in Base64, commas between them"),
  }),
  piece: z.object({
    "tus-resumable": z.string().describe(VERSION),
    "upload-offset": z.string().describe("Where the piece begins: how far the upload is"),
  }),
  plain: z.object({ "tus-resumable": z.string().describe(VERSION) }),
};
const paramsSchema = z.object({ id: z.string().describe("Of the upload, and of the video that it will be") });
const nothing = z.undefined();

/**
 * Uploads that go on where they broke: tus 1.0 with creation, expiration and termination. An upload has the
 * id of the video that it will be. `scope` is theirs alone.
 */
export function resumableUploadRoutes(scope: FastifyInstance, dependencies: ApiDependencies): void {
  const { admin, clock, uploads } = dependencies;
  const { resumable, slots } = uploads;
  // Before the admin is asked for: a page of another origin has to be able to read a refusal.
  scope.addHook("onRequest", async (_request, reply) => {
    reply.headers({ ...CORS, "tus-resumable": VERSION, "cache-control": "no-store" });
  });
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser(PIECE, (_request, _payload, done) => done(null));
  scope.setErrorHandler(async (error, request, reply) => {
    if (!isBrokenOff(error)) {
      if (request.raw.complete) throw error;
      return refuseEarly(request, reply, error, clock);
    }
    // Clients take an answer for final, and a connection that breaks for a reason to go on.
    reply.hijack();
    request.raw.socket.destroy();
    return reply;
  });

  for (const path of [PREFIX, `${PREFIX}/:id`]) {
    scope.options(path, { schema: { hide: true } }, async (_request, reply) => {
      reply.headers({
        ...PREFLIGHT,
        "tus-version": VERSION,
        "tus-extension": "creation,expiration,termination",
        "tus-max-size": resumable.limits.maxSizeBytes,
      });
      return reply.code(204).send();
    });
  }

  scope.register(async (guarded) => {
    requireAdmin(guarded, admin);
    guarded.addHook("onRequest", async (request, reply) => {
      if (request.headers["tus-resumable"] === VERSION) return;
      reply.header("tus-version", VERSION);
      throw Object.assign(new Error(`Tus-Resumable: must be ${VERSION}`), { statusCode: 412 });
    });
    const routes = guarded.withTypeProvider<ZodTypeProvider>();
    const tags = ["Uploads"];
    const validatorCompiler = leaveAsItIs;

    routes.post(
      PREFIX,
      {
        validatorCompiler,
        schema: {
          operationId: "createUpload",
          summary: "Begin an upload that can go on where it breaks (tus 1.0)",
          tags,
          headers: headerSchemas.create,
          response: {
            201: nothing.describe("Location is where the pieces go; its last part is the id of the video"),
            ...problems(400, 412, 413, 415, 422, 503, 507),
          },
        },
      },
      async (request, reply) => {
        const videoId = await resumable.create(newUpload(request));
        tell(reply, await resumable.find(videoId));
        return reply.code(201).header("location", `${PREFIX}/${videoId}`).send(undefined);
      },
    );

    routes.route({
      method: "HEAD",
      url: `${PREFIX}/:id`,
      schema: { hide: true },
      handler: async (request, reply) => {
        const state = await findForClient(idOf(request), dependencies);
        tell(reply, state);
        reply.header("upload-length", state.sizeBytes);
        if (state.metadata !== "") reply.header("upload-metadata", state.metadata);
        return reply.code(200).send();
      },
    });

    routes.patch(
      `${PREFIX}/:id`,
      {
        validatorCompiler,
        schema: {
          operationId: "continueUpload",
          summary: "Send a piece; with the last one the file is looked into and becomes a video",
          tags,
          params: paramsSchema,
          headers: headerSchemas.piece,
          response: {
            204: nothing.describe("Upload-Offset says how far it is"),
            ...problems(400, 404, 409, 412, 415, 422, 503, 507),
          },
        },
      },
      async (request, reply) => {
        if (request.headers["content-type"] !== PIECE) {
          throw Object.assign(new Error(`Content-Type: must be ${PIECE}`), { statusCode: 415 });
        }
        const [videoId, offsetBytes] = [idOf(request), wholeNumber(request, "upload-offset")];
        using _slot = slots.take();
        request.keepOwnTime();
        tell(reply, await resumable.append(videoId, offsetBytes, request.raw.iterator({ destroyOnReturn: false })));
        return reply.code(204).send();
      },
    );

    routes.delete(
      `${PREFIX}/:id`,
      {
        validatorCompiler,
        schema: {
          operationId: "deleteUpload",
          summary: "Give an unfinished upload up",
          tags,
          params: paramsSchema,
          headers: headerSchemas.plain,
          response: { 204: nothing.describe("It is gone"), ...problems(404, 412, 503) },
        },
      },
      async (request, reply) => {
        await resumable.remove(idOf(request));
        return reply.code(204).send();
      },
    );
  });
}

/** The schemas are there for the document: what is wrong is said in the words of tus. */
const leaveAsItIs = () => (value: unknown) => ({ value });

function isBrokenOff(error: unknown): boolean {
  return error instanceof DomainError && error.code === "UPLOAD_INCOMPLETE";
}

function newUpload(request: FastifyRequest) {
  if (request.headers["upload-defer-length"] !== undefined) {
    throw new DomainError("INVALID_REQUEST", "Upload-Defer-Length: is not known here; say Upload-Length");
  }
  const header = request.headers["upload-metadata"];
  const metadata = Array.isArray(header) ? header.join(",") : (header ?? "");
  const pairs = parseUploadMetadata(metadata);
  return {
    sizeBytes: wholeNumber(request, "upload-length"),
    metadata,
    fileName: cleanFileName(pairs.get("filename") ?? pairs.get("name"), "upload"),
    title: readText("title", pairs.get("title")),
    description: readText("description", pairs.get("description")),
  };
}

/**
 * Clients take any answer but success and 423 for a reason to send the whole file anew: so 423 it is for all that may be otherwise
 * the next time, and while a video is made of it.
 */
async function findForClient(videoId: VideoId, { uploads, log }: ApiDependencies): Promise<ResumableState> {
  try {
    return await uploads.resumable.find(videoId);
  } catch (error) {
    const category = error instanceof DomainError ? error.category : "internal";
    if (category === "not-found" || category === "invalid") throw error;
    if (category === "internal") log.error({ videoId, err: error }, "how far an upload is could not be told");
    throw Object.assign(new Error("how far it is cannot be told now", { cause: error }), { statusCode: 423 });
  }
}

function tell(reply: FastifyReply, { offsetBytes, expiresAtMs }: ResumableState): void {
  reply.header("upload-offset", offsetBytes);
  if (expiresAtMs !== undefined) reply.header("upload-expires", new Date(expiresAtMs).toUTCString());
}

function idOf({ params }: FastifyRequest): VideoId {
  const videoId = parseVideoId((params as { id: string }).id);
  if (!videoId) throw new DomainError("NOT_FOUND", "there is no such upload");
  return videoId;
}

function wholeNumber({ headers }: FastifyRequest, name: string): number {
  const text = headers[name];
  const value = typeof text === "string" && /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value))
    throw new DomainError("INVALID_REQUEST", `${name}: must be a whole number of bytes`);
  return value;
}
