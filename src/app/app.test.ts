import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { soon, spawnHeadwater, startHeadwater } from "../../test/support/headwater.ts";
import { untilEnd } from "../../test/support/logged-process.ts";
import { Catalog } from "../catalog/catalog.ts";
import { newStreamId } from "../core/ids.ts";
import { silentLogger } from "../core/logger.ts";

test("a second server on the same data directory refuses, and changes no stream of the first", async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), "headwater-"));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  const first = await startHeadwater({ dataDir });
  t.after(() => first[Symbol.asyncDispose]());
  const catalog = await Catalog.open({ dataDir, log: silentLogger });
  t.after(() => catalog.close());
  const streamId = newStreamId();
  const settings = { qualities: null, enableHls: true, enableDash: true, lowLatency: true, transcode: true };
  await catalog.streams.create({ streamId, name: null, ingestType: "rtmp", keyHash: "x", keyHint: "x", settings });
  await catalog.streams.updateStatus(streamId, "live");

  const second = spawnHeadwater({ "data-dir": dataDir });
  soon().addEventListener("abort", () => second.kill("SIGKILL"));
  const { code, stderr } = await untilEnd(second);
  assert.equal(code, 1);
  assert.match(stderr, /^headwater: Another Headwater runs with the data directory .*\n$/);
  assert.equal((await catalog.streams.get(streamId))?.status, "live");

  await first.stop("SIGKILL");
  await using third = await startHeadwater({ dataDir });
  assert.equal((await third.get("/healthz")).status, 200, "no lock outlives its process");
});

test("test pictures go on after a restart, however many streams there are", async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), "headwater-"));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  const catalog = await Catalog.open({ dataDir, log: silentLogger });
  const settings = { qualities: null, enableHls: true, enableDash: true, lowLatency: true, transcode: false };
  const pattern = newStreamId();
  for (const [index, streamId] of [pattern, ...Array.from({ length: 110 }, newStreamId)].entries()) {
    const key = { keyHash: `${index}`, keyHint: "x" };
    const ingestType = index === 0 ? "pattern" : "rtmp";
    await catalog.streams.create({ streamId, name: null, ingestType, ...key, settings });
    await catalog.streams.updateStatus(streamId, "live");
  }
  await catalog.close();
  await using server = await startHeadwater({ dataDir });
  await server.existingStream(pattern, "").until("live", soon());
});
