import { access } from "node:fs/promises";
import { join } from "node:path";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance, FastifyReply } from "fastify";

const YEAR_S = 31_536_000;
/** The studio talks to its own origin only, and nobody may frame it. */
const STUDIO_POLICY =
  "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; frame-ancestors 'none'";
/** The player may stand in anybody's page. */
const PLAYER_POLICY = STUDIO_POLICY.replace("frame-ancestors 'none'", "frame-ancestors *");

/** Serves the built studio at `/` and the player at `/watch/{id}`. Does nothing when they were not built. */
export async function serveWeb(app: FastifyInstance, directory: string): Promise<void> {
  if (!(await isBuilt(directory))) return;
  await app.register(fastifyStatic, { root: directory, serve: false, index: false });
  app.get("/", { schema: { hide: true } }, (_request, reply) => sendPage(reply, "index.html", STUDIO_POLICY));
  app.get("/watch/:id", { schema: { hide: true } }, (_request, reply) => sendPage(reply, "watch.html", PLAYER_POLICY));
  app.get<{ Params: { "*": string } }>("/assets/*", { schema: { hide: true } }, (request, reply) =>
    // Vite puts a hash of the content into every name.
    reply.sendFile(`assets/${request.params["*"]}`, { maxAge: YEAR_S * 1000, immutable: true }),
  );
}

function sendPage(reply: FastifyReply, file: string, policy: string): FastifyReply {
  return (
    reply
      // It names hashed files: an old one kept by a guess of the browser would ask for files that are gone.
      .header("cache-control", "no-cache")
      .header("content-security-policy", policy)
      .header("x-content-type-options", "nosniff")
      .header("referrer-policy", "same-origin")
      .sendFile(file, { maxAge: 0, cacheControl: false })
  );
}

async function isBuilt(directory: string): Promise<boolean> {
  return access(join(directory, "index.html")).then(
    () => true,
    () => false,
  );
}
