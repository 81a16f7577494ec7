import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { proveAdmin } from "./admin-hook.ts";
import type { ApiDependencies } from "./dependencies.ts";
import { problems } from "./problem-schema.ts";
import { instant } from "./stream-resource.ts";

const sessionSchema = z
  .object({
    via: z.enum(["bearer", "cookie"]),
    expires_at: z.iso.datetime().nullable().describe("null for a bearer token"),
  })
  .meta({ id: "Session" });

const loginSchema = z
  .strictObject({ token: z.string().min(1).max(512).describe("One-time token of the studio link, or the admin token") })
  .meta({ id: "Login" });

/** Logging a browser in and out. */
export function sessionRoutes(app: FastifyInstance, { admin, log }: ApiDependencies): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  const tags = ["Session"];
  const cookieOptions = { path: "/", httpOnly: true, sameSite: "strict", secure: admin.isCookieSecure } as const;

  routes.post(
    "/api/v1/login",
    {
      schema: {
        operationId: "login",
        summary: "Exchange a token for a session cookie",
        tags,
        security: [],
        body: loginSchema,
        response: { 200: sessionSchema, ...problems(400, 401, 413, 415, 422, 429) },
      },
    },
    async (request, reply) => {
      const { name, value, expiresAtMs } = admin.login(request.body.token, request.clientAddress);
      log.info({ address: request.clientAddress }, "admin logged in");
      reply.setCookie(name, value, { ...cookieOptions, expires: new Date(expiresAtMs) });
      reply.header("cache-control", "no-store");
      return { via: "cookie" as const, expires_at: instant(expiresAtMs) };
    },
  );

  routes.post(
    "/api/v1/logout",
    {
      schema: {
        operationId: "logout",
        summary: "End the session of this browser",
        tags,
        security: [{ cookie: [] }],
        response: { 204: z.undefined().describe("There is no session any more"), ...problems(401, 403, 429) },
      },
    },
    async (request, reply) => {
      proveAdmin(request, admin);
      admin.logout(request.cookies[admin.cookieName]);
      return reply.clearCookie(admin.cookieName, cookieOptions).code(204).send();
    },
  );

  routes.get(
    "/api/v1/session",
    {
      schema: {
        operationId: "getSession",
        summary: "Whether, and until when, the credentials sent are good",
        tags,
        security: [{ bearer: [] }, { cookie: [] }],
        response: { 200: sessionSchema, ...problems(401, 403, 429) },
      },
    },
    async (request, reply) => {
      const { via, expiresAtMs } = proveAdmin(request, admin);
      reply.header("cache-control", "no-store");
      return { via, expires_at: expiresAtMs === undefined ? null : instant(expiresAtMs) };
    },
  );
}
