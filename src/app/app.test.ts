import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { soon, spawnHeadwater, startHeadwater, untilEnd } from "../../test/support/headwater.ts";
import { Catalog } from "../catalog/catalog.ts";
import { newStreamId } from "../core/ids.ts";
import { silentLogger } from "../core/logger.ts";

for (const port of ["http-port", "rtmp-port"] as const) {
  test(`a second start that finds the ${port} taken ends by itself, and changes no stream of the first`, async (t) => {
    const dataDir = await mkdtemp(join(tmpdir(), "headwater-"));
    t.after(() => rm(dataDir, { recursive: true, force: true }));
    await using server = await startHeadwater({ dataDir });
    const catalog = await Catalog.open({ dataDir, log: silentLogger });
    t.after(() => catalog.close());
    const streamId = newStreamId();
    const settings = { qualities: null, enableHls: true, enableDash: true, lowLatency: true, transcode: true };
    await catalog.streams.create({ streamId, name: null, ingestType: "rtmp", keyHash: "x", keyHint: "x", settings });
    await catalog.streams.updateStatus(streamId, "live");

    const taken = port === "http-port" ? server.httpPort : server.rtmpPort;
    const second = spawnHeadwater({ "data-dir": dataDir, [port]: `${taken}` });
    soon().addEventListener("abort", () => second.kill("SIGKILL"));
    const { code, stderr } = await untilEnd(second);
    assert.equal(code, 1);
    assert.match(stderr, /^headwater: port \d+.* is in use/im);
    assert.equal((await catalog.streams.get(streamId))?.status, "live");
  });
}
