import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { VideoRecord } from "../catalog/video-record.ts";
import { DomainError } from "../core/errors.ts";
import { parseVideoId, type VideoId } from "../core/ids.ts";
import type { Job } from "../jobs/job-queue.ts";
import type { ApiDependencies } from "./dependencies.ts";
import { linkNext } from "./paging.ts";
import { problems } from "./problem-schema.ts";
import { readVideo } from "./video-details.ts";
import { describeJob, isOfMaking, type VideoDetails } from "./video-resource.ts";
import { type JobBody, jobListQuerySchema, jobPageSchema, jobParamsSchema, jobSchema } from "./video-schemas.ts";

const PREFIX = "/api/v1/jobs";

/** Jobs: the pieces of work behind a video, and how far that is. */
export function jobRoutes(app: FastifyInstance, dependencies: ApiDependencies): void {
  const { jobs } = dependencies;
  const routes = app.withTypeProvider<ZodTypeProvider>();
  const tags = ["Jobs"];
  const byId = { params: jobParamsSchema, tags };

  routes.get(
    PREFIX,
    {
      schema: {
        operationId: "listJobs",
        summary: "List jobs, newest first",
        tags,
        querystring: jobListQuerySchema,
        response: { 200: jobPageSchema, ...problems(400) },
      },
    },
    async (request, reply) => {
      const { limit, cursor, state, kind } = request.query;
      const page = await jobs.list({
        limit,
        ...(cursor !== undefined && { cursor }),
        ...(state !== undefined && { state }),
        ...(kind !== undefined && { kind }),
      });
      if (page.nextCursor !== undefined) linkNext(reply, PREFIX, { ...request.query, cursor: page.nextCursor });
      return { jobs: await describeAll(page.jobs, dependencies), next_cursor: page.nextCursor ?? null };
    },
  );

  // The documented path, and the same one where everything else is.
  for (const path of ["/api/jobs/:id", `${PREFIX}/:id`]) {
    routes.get(
      path,
      {
        schema: {
          operationId: path.startsWith(PREFIX) ? "getJob" : "getJobPlain",
          summary: "A job with the progress of what it makes",
          ...byId,
          response: { 200: jobSchema, ...problems(404) },
        },
      },
      async (request) => describe(foundJob(await jobs.get(request.params.id), request.params.id), dependencies),
    );
  }

  routes.post(
    `${PREFIX}/:id/cancel`,
    {
      schema: {
        operationId: "cancelJob",
        summary: "Take a waiting job out, or end a running one",
        ...byId,
        response: { 200: jobSchema, ...problems(404, 409) },
      },
    },
    async (request) => {
      const { id } = request.params;
      foundJob(await jobs.get(id), id);
      if (!(await jobs.cancel(id))) throw new DomainError("VIDEO_CONFLICT", "The job has ended already");
      return describe(foundJob(await jobs.get(id), id), dependencies);
    },
  );
}

async function describe(job: Job, dependencies: ApiDependencies): Promise<JobBody> {
  const [body] = await describeAll([job], dependencies);
  if (!body) throw new Error("a job was described as none");
  return body;
}

/** Each video is read once, however many jobs it has. */
async function describeAll(jobs: readonly Job[], dependencies: ApiDependencies): Promise<JobBody[]> {
  const records = new Map<VideoId, Promise<VideoRecord | undefined>>();
  const details = new Map<VideoId, Promise<VideoDetails | undefined>>();
  const once = <Value>(read: Map<VideoId, Promise<Value>>, videoId: VideoId, make: () => Promise<Value>) => {
    const value = read.get(videoId) ?? make();
    read.set(videoId, value);
    return value;
  };
  return Promise.all(
    jobs.map(async (job) => {
      const videoId = videoIdOf(job);
      const record = videoId && (await once(records, videoId, () => dependencies.videos.get(videoId)));
      if (!record || !isOfMaking(job)) return describeJob(job, record, undefined);
      return describeJob(job, record, await once(details, record.videoId, () => readVideo(record, dependencies)));
    }),
  );
}

function videoIdOf({ data }: Job): VideoId | undefined {
  return typeof data.videoId === "string" ? parseVideoId(data.videoId) : undefined;
}

function foundJob(job: Job | undefined, id: string): Job {
  if (!job) throw new DomainError("JOB_NOT_FOUND", `No job has the id ${id.slice(0, 64)}`);
  return job;
}
