import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { stripTypeScriptTypes } from "node:module";
import type { AddressInfo } from "node:net";
import { extname } from "node:path";

const PAGES = new URL("./pages/", import.meta.url);
const PACKAGES = new URL("../../../node_modules/", import.meta.url);

const PAGE_FILE = /^\/([a-z-]+\.(?:html|ts))$/;
const PACKAGE_FILE = /^\/lib\/((?:hls\.js|dashjs|shaka-player)\/dist\/(?:[a-z0-9.-]+\/)*[a-z0-9.-]+\.m?js)$/;

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".ts": "text/javascript",
};

/** Serves the bare player pages and the player libraries as they were installed, on a port of its own. */
export class PlayerHost implements AsyncDisposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async listen(): Promise<PlayerHost> {
    const server = createServer((request, response) => {
      answer(new URL(request.url ?? "/", "http://host").pathname).then(
        ({ type, body }) => response.writeHead(200, { "content-type": type }).end(body),
        (error: unknown) => response.writeHead(404).end(String(error)),
      );
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", resolve);
    });
    return new PlayerHost(server);
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

async function answer(path: string): Promise<{ type: string; body: string | Buffer }> {
  const type = TYPES[extname(path)] ?? "";
  const page = PAGE_FILE.exec(path)?.[1];
  if (page !== undefined) {
    const text = await readFile(new URL(page, PAGES), "utf8");
    return { type, body: page.endsWith(".ts") ? stripTypeScriptTypes(text) : text };
  }
  const library = PACKAGE_FILE.exec(path)?.[1];
  if (library === undefined || library.includes("..")) throw new Error(`nothing at ${path}`);
  return { type, body: await readFile(new URL(library, PACKAGES)) };
}
