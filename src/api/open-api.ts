import { STATUS_CODES } from "node:http";
import swagger from "@fastify/swagger";
import type { FastifyInstance } from "fastify";
import { jsonSchemaTransform, jsonSchemaTransformObject } from "fastify-type-provider-zod";
import { CONTENT_TYPES } from "../http/content-types.ts";
import type { ApiDependencies } from "./dependencies.ts";
import { renderDocsPage } from "./docs-page.ts";

/** Collects every route that `api` gets after this into an OpenAPI 3.1 document. */
export async function registerOpenApi(api: FastifyInstance, { server, admin }: ApiDependencies): Promise<void> {
  await api.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Headwater",
        version: server.version,
        description: "Live streams: create them, watch over them, play them. Errors are RFC 9457 problem details.",
        license: { name: "MIT", identifier: "MIT" },
      },
      servers: [{ url: "/" }],
      components: {
        securitySchemes: {
          bearer: { type: "http", scheme: "bearer", description: "The admin token" },
          cookie: { type: "apiKey", in: "cookie", name: admin.cookieName, description: "Given by /api/v1/login" },
        },
      },
    },
    transform: jsonSchemaTransform,
    transformObject: (document) => withoutUnused(withStatusNames(jsonSchemaTransformObject(document))),
  });
}

/** The document itself and a page that people can read; both are made at the first request and kept. */
export function openApiRoutes(api: FastifyInstance): void {
  let document: Buffer | undefined;
  let page: Buffer | undefined;
  api.get("/api/openapi.json", { schema: { hide: true } }, async (_request, reply) => {
    document ??= Buffer.from(JSON.stringify(api.swagger()));
    return reply.type(CONTENT_TYPES.json).header("access-control-allow-origin", "*").send(document);
  });
  api.get("/api/docs", { schema: { hide: true } }, async (_request, reply) => {
    page ??= Buffer.from(renderDocsPage(api.swagger()));
    reply.header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    return reply.type("text/html; charset=utf-8").send(page);
  });
}

/** Answers that have no description of their own are described by the name of their status. */
function withStatusNames<Document extends object>(document: Document): Document {
  const answers = "paths" in document ? Object.values(document.paths as Paths).flatMap(Object.values<Operation>) : [];
  for (const { responses } of answers) {
    for (const [status, answer] of Object.entries(responses ?? {})) {
      if (answer.description === "Default Response") answer.description = STATUS_CODES[status] ?? status;
    }
  }
  return document;
}

type Paths = Record<string, Record<string, Operation>>;

interface Operation {
  responses?: Record<string, { description: string }>;
}

/** Every schema comes as it is sent and as it is received; only one of both is referred to. */
function withoutUnused<Document extends object>(document: Document): Document {
  const components = "components" in document ? (document.components as { schemas?: Record<string, unknown> }) : {};
  for (;;) {
    const text = JSON.stringify(document);
    const unused = Object.keys(components.schemas ?? {}).filter((id) => !text.includes(`"#/components/schemas/${id}"`));
    if (unused.length === 0) return document;
    for (const id of unused) delete components.schemas?.[id];
  }
}
