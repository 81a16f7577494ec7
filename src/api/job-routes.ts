import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { DomainError } from "../core/errors.ts";
import { parseVideoId } from "../core/ids.ts";
import type { Job } from "../jobs/job-queue.ts";
import type { ApiDependencies } from "./dependencies.ts";
import { linkNext } from "./paging.ts";
import { problems } from "./problem-schema.ts";
import { readVideo } from "./video-details.ts";
import { describeJob, type VideoDetails } from "./video-resource.ts";
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
      return {
        jobs: await Promise.all(page.jobs.map((job) => describe(job, dependencies))),
        next_cursor: page.nextCursor ?? null,
      };
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
  return describeJob(job, await videoOf(job, dependencies));
}

async function videoOf(job: Job, dependencies: ApiDependencies): Promise<VideoDetails | undefined> {
  const { videoId: named } = job.data;
  const videoId = typeof named === "string" ? parseVideoId(named) : undefined;
  const record = videoId && (await dependencies.videos.get(videoId));
  return record && readVideo(record, dependencies);
}

function foundJob(job: Job | undefined, id: string): Job {
  if (!job) throw new DomainError("JOB_NOT_FOUND", `No job has the id ${id.slice(0, 64)}`);
  return job;
}
