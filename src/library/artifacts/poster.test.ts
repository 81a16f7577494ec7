import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  decodeErrors,
  makeTools,
  openSource,
  probeFile,
  sourceDirectory,
  writeSource,
} from "../../../test/support/source-files.ts";
import { openSourceAccess } from "../make/source-access.ts";
import { mainVideo } from "../probe/source-media.ts";
import { makePoster } from "./poster.ts";

const directory = await sourceDirectory();
const tools = await makeTools();
const KEY = "videos/v/original";

/** The poster of a file that lies in a store without a disk, with its pictures treated as told. */
async function posterOf(t: TestContext, path: string, toneMapFrom: "pq" | null) {
  const { media, source } = await openSource(tools, path);
  await tools.store.put(KEY, createReadStream(path));
  const access = await openSourceAccess(tools.store, KEY, tools.logger);
  t.after(() => access.close());
  const video = mainVideo(media);
  assert.ok(video);
  assert.match(access.input.url, /^http:/);
  const picture = { deinterlace: false, toneMapFrom, frameRateLimit: null };
  const { durationMs } = media;
  const signal = new AbortController().signal;
  return makePoster(tools, { source: { ...source, access }, video, picture, durationMs, signal });
}

test("maps high dynamic range to what every screen shows, and reads from any store", {
  timeout: 120_000,
}, async (t) => {
  const path = await writeSource(
    ...["-f", "lavfi", "-i", "testsrc2=s=160x90:r=10:d=2,format=yuv420p10le", "-c:v", "libx265"],
    ...["-preset", "ultrafast", "-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc"],
    ...["-x265-params", "log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"],
    join(directory, "pq.mkv"),
  );
  const { jpeg, size } = await posterOf(t, path, "pq");
  const file = join(directory, "poster.jpg");
  await writeFile(file, jpeg);
  assert.deepEqual(size, { width: 160, height: 90 });
  assert.equal(await decodeErrors(file), "");
  const { streams } = await probeFile(file, "-show_streams");
  assert.deepEqual([streams?.[0]?.width, streams?.[0]?.pix_fmt], [160, "yuvj420p"]);
  const { jpeg: unmapped } = await posterOf(t, path, null);
  assert.notDeepEqual(jpeg, unmapped);
});

test("says that nothing can be decoded, and stops when it is told to", { timeout: 120_000 }, async () => {
  const path = await writeSource(
    ...["-f", "lavfi", "-i", "testsrc2=s=160x90:r=10:d=2", "-c:v", "libx264", join(directory, "plain.mkv")],
  );
  const { media, source } = await openSource(tools, path);
  const video = mainVideo(media);
  assert.ok(video);
  const picture = { deinterlace: false, toneMapFrom: null, frameRateLimit: null };
  const request = { source, video, picture, durationMs: 2_000, signal: new AbortController().signal };
  const absent = { ...request, video: { ...video, index: 7 } };
  await assert.rejects(makePoster(tools, absent), { code: "MEDIA_DAMAGED" });
  const stopped = new AbortController();
  stopped.abort(new Error("enough"));
  await assert.rejects(makePoster(tools, { ...request, signal: stopped.signal }), /enough/);
});

test("finds a picture where most places that it looks at are not there", { timeout: 120_000 }, async () => {
  const path = await writeSource(
    ...["-f", "lavfi", "-i", "testsrc2=s=160x90:r=10:d=2", "-c:v", "libx264", join(directory, "short.mkv")],
  );
  const { media, source } = await openSource(tools, path);
  const video = mainVideo(media);
  assert.ok(video);
  const picture = { deinterlace: false, toneMapFrom: null, frameRateLimit: null };
  // As of a file whose header says ten times too much.
  const request = { source, video, picture, durationMs: 20_000, signal: new AbortController().signal };
  const { jpeg } = await makePoster(tools, request);
  const file = join(directory, "of-short.jpg");
  await writeFile(file, jpeg);
  assert.equal(await decodeErrors(file), "");
});
