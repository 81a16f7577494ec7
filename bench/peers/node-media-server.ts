import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { findFreePort, type Workplace, waitForPort } from "../workplace.ts";
import type { FoundPeer } from "./peer.ts";

const execute = promisify(execFile);
const INSTALL_LIMIT_MS = 120_000;

/** Installs node-media-server into the workplace. It takes RTMP and hands it on as RTMP and FLV; it packages nothing. */
export async function findNodeMediaServer(workplace: Workplace): Promise<FoundPeer> {
  const directory = await workplace.makeDirectory("node-media-server");
  await writeFile(join(directory, "package.json"), '{"private":true}');
  try {
    const install = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "node-media-server"];
    await execute("npm", install, { cwd: directory, timeout: INSTALL_LIMIT_MS });
  } catch {
    return { absence: "node-media-server could not be installed by npm, and was left out." };
  }
  const root = join(directory, "node_modules", "node-media-server");
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  return {
    peer: {
      name: "node-media-server",
      version: `node-media-server ${version}`,
      keepsWindow: false,
      async start(place, core) {
        const rtmpPort = await findFreePort();
        const config = join(await place.makeDirectory("nms"), "config.json");
        await writeFile(config, configText(rtmpPort, await findFreePort()));
        const startMs = performance.now();
        const program = place.run([process.execPath, join(root, "bin", "app.js"), "--config", config], {
          ...(core === undefined ? {} : { core }),
        });
        await waitForPort(rtmpPort, program, 1);
        return { program, rtmpPort, readyMs: performance.now() - startMs };
      },
    },
  };
}

function configText(rtmpPort: number, httpPort: number): string {
  return JSON.stringify({
    bind: "127.0.0.1",
    store: { path: "./data" },
    auth: { play: false, publish: false, secret: "bench", jwt: { secret: "bench", users: [] } },
    rtmp: { port: rtmpPort },
    http: { port: httpPort },
    record: { auto: false, path: "./record" },
  });
}
