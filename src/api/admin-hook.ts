import type { FastifyInstance, FastifyRequest } from "fastify";
import type { AdminAccess, AdminSession, Credentials } from "../access/admin.ts";
import { problems } from "./problem-schema.ts";

/** Lets only admins reach the routes that `scope` gets after this, before a body is read, and says so in the document. */
export function requireAdmin(scope: FastifyInstance, admin: AdminAccess): void {
  scope.addHook("onRoute", (route) => {
    const { schema = {} } = route;
    const response = { ...problems(401, 403, 429), ...(schema.response as Record<string, unknown> | undefined) };
    route.schema = { ...schema, security: [{ bearer: [] }, { cookie: [] }], response };
  });
  scope.addHook("onRequest", async (request, reply) => {
    proveAdmin(request, admin);
    reply.header("cache-control", "no-store");
  });
}

/** Throws DomainError when the request does not come from an admin. */
export function proveAdmin(request: FastifyRequest, admin: AdminAccess): AdminSession {
  return admin.authenticate(credentialsOf(request, admin));
}

function credentialsOf(request: FastifyRequest, admin: AdminAccess): Credentials {
  const { headers } = request;
  return {
    method: request.method,
    address: request.clientAddress,
    authorization: headers.authorization,
    sessionCookie: request.cookies[admin.cookieName],
    origin: headers.origin,
    host: headers.host,
    secFetchSite: one(headers["sec-fetch-site"]),
  };
}

function one(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}
