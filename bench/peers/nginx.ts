import { execFile } from "node:child_process";
import { access, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { findFreePort, type RunningProgram, type Workplace, waitForPort } from "../workplace.ts";
import type { FoundPeer } from "./peer.ts";

const execute = promisify(execFile);

interface NginxProgram {
  readonly path: string;
  readonly version: string;
  readonly modulesDirectory: string;
}

/** nginx with its RTMP module, packaging to plain HLS in memory: MPEG-TS fragments of two seconds. */
export async function findNginxRtmp(): Promise<FoundPeer> {
  const nginx = await findNginx();
  const module = nginx && join(nginx.modulesDirectory, "ngx_rtmp_module.so");
  const hasModule =
    module !== undefined &&
    (await access(module).then(
      () => true,
      () => false,
    ));
  if (!nginx || !hasModule) {
    return { absence: "nginx-rtmp was left out: it is not installed (apt-get install nginx libnginx-mod-rtmp)." };
  }
  return {
    peer: {
      name: "nginx-rtmp",
      version: `nginx ${nginx.version} with nginx-rtmp`,
      keepsWindow: false,
      async start(workplace, core) {
        const rtmpPort = await findFreePort();
        const hls = await workplace.makeMemoryDirectory();
        const rtmp = `rtmp { server { listen 127.0.0.1:${rtmpPort}; chunk_size 65536; application live {
          live on; hls on; hls_path ${hls}; hls_nested on; hls_fragment 2s; hls_playlist_length 20s; } } }`;
        const startMs = performance.now();
        const program = await runNginx(workplace, nginx, `load_module ${module};`, rtmp, core);
        await waitForPort(rtmpPort, program, 1);
        return { program, rtmpPort, readyMs: performance.now() - startMs };
      },
    },
  };
}

export interface StaticServer {
  readonly program: RunningProgram;
  readonly port: number;
  readonly version: string;
}

/** nginx with one worker that serves the files of a directory; undefined when it is not installed. */
export async function startStaticNginx(
  workplace: Workplace,
  directory: string,
  core: number,
): Promise<StaticServer | undefined> {
  const nginx = await findNginx();
  if (!nginx) return undefined;
  const port = await findFreePort();
  const http = `http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; open_file_cache max=100;
    server { listen 127.0.0.1:${port} backlog=4096; root ${directory}; } }`;
  const program = await runNginx(workplace, nginx, "", http, core);
  await waitForPort(port, program);
  return { program, port, version: `nginx ${nginx.version}` };
}

async function runNginx(
  workplace: Workplace,
  { path }: NginxProgram,
  preamble: string,
  block: string,
  core: number | undefined,
): Promise<RunningProgram> {
  const directory = await workplace.makeDirectory("nginx");
  const config = join(directory, "nginx.conf");
  // Workers would else run as a user that cannot write here.
  const user = process.getuid?.() === 0 ? "user root;" : "";
  await writeFile(
    config,
    `${preamble} ${user} daemon off; worker_processes 1; worker_rlimit_nofile 20000; pid ${directory}/pid;
     error_log ${directory}/error.log crit; events { worker_connections 19000; }\n${block}\n`,
  );
  return workplace.run([path, "-c", config, "-p", directory], { ...(core === undefined ? {} : { core }) });
}

async function findNginx(): Promise<NginxProgram | undefined> {
  for (const path of ["nginx", "/usr/sbin/nginx"]) {
    try {
      // It writes that to standard error.
      const { stderr } = await execute(path, ["-V"]);
      const version = /nginx\/(\S+)/.exec(stderr)?.[1] ?? "unknown";
      return { path, version, modulesDirectory: /--modules-path=(\S+)/.exec(stderr)?.[1] ?? "" };
    } catch {
      // Not under this name; the next may do.
    }
  }
  return undefined;
}
