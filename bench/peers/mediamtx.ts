import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { findFreePort, waitForPort } from "../workplace.ts";
import type { FoundPeer } from "./peer.ts";

const execute = promisify(execFile);

/** MediaMTX, which packages what is published to LL-HLS as Headwater does, in memory. */
export async function findMediamtx(): Promise<FoundPeer> {
  let version: string;
  try {
    version = (await execute("mediamtx", ["--version"])).stdout.trim();
  } catch {
    return { absence: "MediaMTX was left out: there is no `mediamtx` in the PATH." };
  }
  return {
    peer: {
      name: "MediaMTX",
      version: `MediaMTX ${version}`,
      keepsWindow: true,
      async start(workplace, core) {
        const rtmpPort = await findFreePort();
        const config = join(await workplace.makeDirectory("mediamtx"), "mediamtx.yml");
        await writeFile(config, configText(rtmpPort, await findFreePort()));
        const startMs = performance.now();
        const program = workplace.run(["mediamtx", config], { ...(core === undefined ? {} : { core }) });
        await waitForPort(rtmpPort, program, 1);
        return { program, rtmpPort, readyMs: performance.now() - startMs };
      },
    },
  };
}

/** Parts, segments and window as ours; every stream is packaged whether anybody watches or not. */
function configText(rtmpPort: number, hlsPort: number): string {
  return `
logLevel: warn
rtsp: no
webrtc: no
srt: no
moq: no
rtmp: yes
rtmpAddress: 127.0.0.1:${rtmpPort}
hls: yes
hlsAddress: 127.0.0.1:${hlsPort}
hlsAlwaysRemux: yes
hlsVariant: lowLatency
hlsSegmentCount: 10
hlsSegmentDuration: 2s
hlsPartDuration: 500ms
paths:
  all_others:
`;
}
