import assert from "node:assert/strict";
import { readdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Catalog } from "../src/catalog/catalog.ts";
import { ManualClock } from "../src/core/clock.ts";
import { silentLogger } from "../src/core/logger.ts";
import { runHeadwaterCommand } from "./support/headwater.ts";
import { TestLibrary } from "./support/libraries.ts";
import { sourceDirectory, writeSource } from "./support/source-files.ts";

const directory = await sourceDirectory();
const PATIENT = { timeout: 600_000 };
const LONG_AGO_S = Date.now() / 1000 - 48 * 3600;

test("the command says what would go, deletes just that, and leaves what is named or young", PATIENT, async (t) => {
  const source = await writeSource(
    ...["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2", "-c:v", "mpeg4", join(directory, "film.avi")],
  );
  const opened = await TestLibrary.open(t);
  const { videoId } = (await opened.upload(source)).video;
  opened.work();
  await opened.until(videoId, "ready");
  const lost = (await opened.upload(source)).video;
  await opened.store.delete([lost.source?.key ?? ""]);
  await opened.until(lost.videoId, "errored");
  const kept = await opened.keys();
  const orphan = `videos/${videoId}/360p/e/of-a-crash/0/1.m4s`;
  for (const key of [orphan, "videos/young/original"]) await opened.store.put(key, Buffer.from("12345"));
  const cutOff = join(opened.dataDir, "objects", "~incoming", "half");
  await writeFile(cutOff, "half of a film");
  for (const path of [...kept, orphan].map((key) => opened.store.localPath(key))) {
    await utimes(path, LONG_AGO_S, LONG_AGO_S);
  }
  await utimes(cutOff, LONG_AGO_S, LONG_AGO_S);

  const place = { "data-dir": opened.dataDir, "video-failed-retention": "1min" };
  const lines = [
    `object ${orphan} (5 bytes): nothing names it`,
    "unfinished put ~incoming/half (0 bytes): it was cut off",
  ];
  const dry = await runHeadwaterCommand("clean-up", place, "--dry-run");
  assert.equal(dry.code, 0, dry.stderr);
  assert.equal(dry.stdout, [...lines.map((line) => `would delete ${line}`), "2 in all, 5 bytes", ""].join("\n"));
  assert.deepEqual(await opened.keys(), [...kept, orphan, "videos/young/original"].sort());

  const real = await runHeadwaterCommand("clean-up", place);
  assert.equal(real.stdout, [...lines.map((line) => `deleted ${line}`), "2 in all, 5 bytes", ""].join("\n"));
  assert.deepEqual(await opened.keys(), [...kept, "videos/young/original"].sort());
  assert.deepEqual(await readdir(join(opened.dataDir, "objects", "~incoming")), []);
  const again = await runHeadwaterCommand("clean-up", place);
  assert.equal(again.stdout, "there is nothing to delete\n");
  assert.ok(await opened.catalog.videos.get(lost.videoId), "it failed a moment ago");
});

test("the command deletes what could not be made, once it is old enough", PATIENT, async (t) => {
  const opened = await TestLibrary.open(t);
  const clock = new ManualClock(LONG_AGO_S * 1000);
  const catalog = await Catalog.open({ dataDir: opened.dataDir, log: silentLogger, clock });
  t.after(() => catalog.close());
  const { videoId, key } = opened.library.newUpload();
  const source = { key, fileName: "film.avi", sizeBytes: 5 };
  await catalog.videos.create({ videoId, title: null, description: null, source });
  await catalog.videos.setStatus(videoId, { status: "errored", error: { code: "INTERNAL", message: "of a test" } });
  await opened.store.put(key, Buffer.from("12345"));
  const sentence = `video ${videoId} (5 bytes): it could not be made: of a test`;
  const clean = (...flags: string[]) => runHeadwaterCommand("clean-up", { "data-dir": opened.dataDir }, ...flags);
  assert.equal((await clean("--dry-run")).stdout, `would delete ${sentence}\n1 in all, 5 bytes\n`);
  assert.ok(await opened.catalog.videos.get(videoId));
  assert.equal((await clean()).stdout, `deleted ${sentence}\n1 in all, 5 bytes\n`);
  assert.equal(await opened.catalog.videos.get(videoId), undefined);
  assert.deepEqual(await opened.keys(), []);
});

test("a command that cannot run dry refuses to", PATIENT, async (t) => {
  const place = { "data-dir": await TestLibrary.directory(t) };
  const { code, stderr } = await runHeadwaterCommand("migrate", place, "--dry-run");
  assert.equal(code, 1);
  assert.match(stderr, /^headwater: --dry-run.*there is no such/);
});
