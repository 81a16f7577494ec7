import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { sourceDirectory, writeSource } from "../../test/support/source-files.ts";
import { parseStreamId } from "../core/ids.ts";
import { ADMIN_TOKEN, startApi } from "./api-harness.ts";

const directory = await sourceDirectory();
const picture = ["-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=1", "-c:v", "libx264", "-pix_fmt", "yuv420p"];
const film = Buffer.from(await readFile(await writeSource(...picture, join(directory, "film.mp4"))));

const BEARER = { authorization: `Bearer ${ADMIN_TOKEN}` };

async function upload(url: string, headers: Record<string, string>, fields: Record<string, string> = {}) {
  const body = new FormData();
  body.set("file", new File([film], "film.mp4"));
  for (const [name, value] of Object.entries(fields)) body.set(name, value);
  const answer = await fetch(url, { method: "POST", headers, body });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

test("makes an upload the video of the stream that it names", async (t) => {
  const { origin, call, catalog, store } = await startApi(t);
  const { body: created } = await call("POST", "/api/v1/streams", { stream_id: "show" });
  assert.equal(created.stream_id, "show");
  const { status, body } = await upload(`${origin}/api/v1/upload`, BEARER, { stream_id: "show" });
  assert.equal(status, 201, JSON.stringify(body));
  const streamId = parseStreamId("show");
  assert.equal(streamId && (await catalog.streams.get(streamId))?.videoId, body.video_id);
  for (const unknown of ["other", "../show", "x".repeat(200)]) {
    const refused = await upload(`${origin}/api/v1/upload`, BEARER, { stream_id: unknown });
    assert.deepEqual([refused.status, refused.body.code], [404, "STREAM_NOT_FOUND"], unknown);
  }
  assert.equal((await Array.fromAsync(store.list(""))).length, 1);
});

test("takes what a page of ours uploads with its session, and not what another site sends", async (t) => {
  const { origin, admin, store } = await startApi(t);
  const session = admin.login(admin.issueLoginToken(), "127.0.0.1");
  const cookie = { cookie: `${session.name}=${session.value}` };
  for (const path of ["/api/videos/upload", "/api/v1/upload", "/api/v1/uploads"]) {
    const tus = { "tus-resumable": "1.0.0", "upload-length": "1" };
    const foreign = { ...cookie, ...tus, origin: "https://elsewhere.example", "sec-fetch-site": "cross-site" };
    const { status, body } = await upload(origin + path, foreign);
    assert.deepEqual([status, body.code], [403, "CROSS_SITE_REQUEST"], path);
  }
  assert.equal((await Array.fromAsync(store.list(""))).length, 0);
  const { status } = await upload(`${origin}/api/videos/upload`, { ...cookie, origin });
  assert.equal(status, 201);
});

test("answers 423 to a client of tus while a video is made of its file", async (t) => {
  const { origin, store, catalog } = await startApi(t);
  const [hasBegun, mayGoOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const put = store.put.bind(store);
  store.put = async (...parameters) => {
    hasBegun.resolve();
    await mayGoOn.promise;
    return put(...parameters);
  };
  const tus = { ...BEARER, "tus-resumable": "1.0.0" };
  const length = { "upload-length": String(film.byteLength) };
  const created = await fetch(`${origin}/api/v1/uploads`, { method: "POST", headers: { ...tus, ...length } });
  const url = new URL(created.headers.get("location") ?? "", origin);
  const piece = { ...tus, "upload-offset": "0", "content-type": "application/offset+octet-stream" };
  const sent = fetch(url, { method: "PATCH", headers: piece, body: film });
  await hasBegun.promise;
  for (const [method, status] of [
    ["HEAD", 423],
    ["DELETE", 503],
  ] as const) {
    assert.equal((await fetch(url, { method, headers: tus })).status, status, method);
  }
  mayGoOn.resolve();
  assert.equal((await sent).status, 204);
  const head = await fetch(url, { method: "HEAD", headers: tus });
  assert.deepEqual([head.status, head.headers.get("upload-offset")], [200, String(film.byteLength)]);
  assert.equal((await catalog.videos.list({ limit: 10 })).videos.length, 1);
});
