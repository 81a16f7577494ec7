import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type DetailedError, Upload, type UploadOptions } from "tus-js-client";
import { type Headwater, soon, startHeadwater } from "./support/headwater.ts";
import { sourceDirectory, writeSource } from "./support/source-files.ts";
import { TcpProxy } from "./support/tcp-proxy.ts";

const PATIENT = { timeout: 300_000 };
const SETTINGS = { "jobs-worker": "false" };
const PIECE = "application/offset+octet-stream";
const directory = await sourceDirectory();

let server: Headwater;
let film: Buffer<ArrayBuffer>;

before(async () => {
  const picture = ["-f", "lavfi", "-i", "testsrc2=s=640x360:r=25:d=4"];
  const encoded = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25"];
  film = Buffer.from(await readFile(await writeSource(...picture, ...encoded, join(directory, "film.mp4"))));
  server = await startHeadwater({ settings: SETTINGS });
});

after(() => server[Symbol.asyncDispose]());

const authorized = () => ({ authorization: `Bearer ${server.adminToken}` });
const endpoint = (to = server) => new URL("/api/v1/uploads", to.httpUrl).href;

/** The client that the studio has, on `bytes`; resolves with where it uploaded to. */
function send(bytes: Buffer, options: Partial<UploadOptions> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const upload = new Upload(bytes, {
      endpoint: endpoint(),
      headers: authorized(),
      metadata: { filename: "Café.mp4", filetype: "video/mp4", title: "Pieces" },
      retryDelays: [],
      onSuccess: () => resolve(upload.url ?? ""),
      onError: reject,
      ...options,
    });
    upload.start();
  });
}

/** Begins an upload and sends this much of the film. */
async function begin(to: Headwater, sentBytes: number): Promise<string> {
  const headers = { ...authorized(), "tus-resumable": "1.0.0" };
  const created = await fetch(endpoint(to), {
    method: "POST",
    headers: { ...headers, "upload-length": String(film.byteLength), "upload-metadata": "filename ZmlsbS5tcDQ=" },
  });
  assert.equal(created.status, 201, await created.text());
  const url = new URL(created.headers.get("location") ?? "", to.httpUrl).href;
  const sent = await fetch(url, {
    method: "PATCH",
    headers: { ...headers, "upload-offset": "0", "content-type": PIECE },
    body: film.subarray(0, sentBytes),
  });
  assert.deepEqual([sent.status, sent.headers.get("upload-offset")], [204, String(sentBytes)]);
  assert.ok(Date.parse(sent.headers.get("upload-expires") ?? "") > Date.now());
  return url;
}

async function checkVideo(at: Headwater, uploadUrl: string, title: string): Promise<void> {
  const videoId = uploadUrl.split("/").at(-1) ?? "";
  const video = await at.ask<Record<string, unknown>>("GET", `/api/v1/videos/${videoId}`);
  assert.deepEqual([video.title, video.status], [title, "preparing"]);
  assert.ok(film.equals(await readFile(join(at.dataDir, "objects", "videos", videoId, "original"))));
  assert.deepEqual(await readdir(join(at.dataDir, "uploads")), []);
}

test("takes a file of the studio's client, in one piece and in many", PATIENT, async () => {
  await checkVideo(server, await send(film), "Pieces");
  const url = await send(film, { chunkSize: 50_000 });
  await checkVideo(server, url, "Pieces");
  // Whoever did not hear that it is over asks again, and has nothing left to send.
  assert.equal(await send(film, { uploadUrl: url }), url);
});

test("goes on where it was after the server was killed", PATIENT, async (t) => {
  const first = await startHeadwater({ settings: SETTINGS });
  t.after(() => first[Symbol.asyncDispose]());
  const begun = await begin(first, 100_000);
  const { dataDir } = first;
  await first.stop("SIGKILL");
  await using next = await startHeadwater({ settings: SETTINGS, dataDir });
  const uploadUrl = new URL(new URL(begun).pathname, next.httpUrl).href;
  let sentBytes = 0;
  await send(film, {
    uploadUrl,
    onChunkComplete: (bytes) => {
      sentBytes += bytes;
    },
  });
  assert.equal(sentBytes, film.byteLength - 100_000);
  await checkVideo(next, uploadUrl, "film.mp4");
});

test("comes through connections that break, and answers that get lost", PATIENT, async (t) => {
  const proxy = await TcpProxy.start(t, server.httpPort);
  const options = { endpoint: `${proxy.url}/api/v1/uploads`, retryDelays: Array(50).fill(20) };
  proxy.failNext({ kind: "cut-request", afterBytes: 60_000 }, { kind: "cut-request", afterBytes: 90_000 });
  await checkVideo(server, await send(film, options), "Pieces");
  proxy.loseAnswersOf(/^PATCH /);
  await checkVideo(server, await send(film, options), "Pieces");
  assert.equal(proxy.lostAnswerCount, 1);
});

test(
  "tells the client why a file is refused, also when the answer got lost, and keeps nothing of it",
  PATIENT,
  async (t) => {
    const poem = Buffer.from("Shall I compare thee to a summer's day?");
    const isRefusal = (error: DetailedError) => {
      const answer = error.originalResponse;
      assert.equal(answer?.getStatus(), 422);
      assert.equal(JSON.parse(answer?.getBody() ?? "").code, "NOT_MEDIA");
      return true;
    };
    await assert.rejects(send(poem), isRefusal);
    const proxy = await TcpProxy.start(t, server.httpPort);
    let creationCount = 0;
    proxy.loseAnswersOf(/^PATCH /);
    const sent = send(poem, {
      endpoint: `${proxy.url}/api/v1/uploads`,
      retryDelays: Array(50).fill(20),
      onBeforeRequest: (request) => {
        if (request.getMethod() === "POST") creationCount += 1;
      },
    });
    await assert.rejects(sent, isRefusal);
    assert.deepEqual([proxy.lostAnswerCount, creationCount], [1, 1]);
    await assert.rejects(send(film, { metadata: { title: "x".repeat(201) } }), (error: DetailedError) => {
      assert.match(error.originalResponse?.getBody() ?? "", /title: /);
      return true;
    });
    assert.deepEqual(await readdir(join(server.dataDir, "uploads")), []);
  },
);

test("speaks tus 1.0 to any client", PATIENT, async () => {
  const ask = async (method: string, url: string, headers: Record<string, string>, body?: Buffer<ArrayBuffer>) => {
    const answer = await fetch(url, { method, headers, ...(body && { body }), signal: soon() });
    return { status: answer.status, headers: answer.headers, text: await answer.text() };
  };
  const tus = { ...authorized(), "tus-resumable": "1.0.0" };
  const options = await ask("OPTIONS", endpoint(), { origin: "https://cms.example" });
  assert.deepEqual([options.status, options.headers.get("tus-version")], [204, "1.0.0"]);
  assert.equal(options.headers.get("tus-extension"), "creation,expiration,termination");
  assert.equal(options.headers.get("tus-max-size"), String(10 * 2 ** 30));
  for (const name of ["Tus-Resumable", "Upload-Offset", "Upload-Metadata", "Authorization", "Content-Type"]) {
    assert.ok(options.headers.get("access-control-allow-headers")?.includes(name), name);
  }
  const stranger = await ask("POST", endpoint(), { "tus-resumable": "1.0.0", "upload-length": "1" });
  assert.deepEqual([stranger.status, stranger.headers.get("access-control-allow-origin")], [401, "*"]);
  const old = await ask("POST", endpoint(), { ...tus, "tus-resumable": "0.2.2", "upload-length": "1" });
  assert.deepEqual([old.status, old.headers.get("tus-version")], [412, "1.0.0"]);
  for (const [length, status] of [
    ["-1", 400],
    ["1e3", 400],
    ["", 400],
    ["11811160064", 413],
    ["0", 422],
  ] as const) {
    assert.equal((await ask("POST", endpoint(), { ...tus, "upload-length": length })).status, status, length);
  }
  const url = await begin(server, 1000);
  const piece = { ...tus, "content-type": PIECE };
  const rest = Buffer.from(film.subarray(1000));
  assert.equal((await ask("PATCH", url, { ...piece, "upload-offset": "999" }, rest)).status, 409);
  assert.equal((await ask("PATCH", url, piece, rest)).status, 400);
  assert.equal((await ask("PATCH", url, { ...tus, "upload-offset": "1000" }, rest)).status, 415);
  const head = await ask("HEAD", url, tus);
  const told = ["upload-offset", "upload-length", "upload-metadata", "cache-control", "tus-resumable"];
  assert.deepEqual(
    told.map((name) => head.headers.get(name)),
    ["1000", String(film.byteLength), "filename ZmlsbS5tcDQ=", "no-store", "1.0.0"],
  );
  assert.equal((await ask("DELETE", url, tus)).status, 204);
  assert.equal((await ask("HEAD", url, tus)).status, 404);
  assert.equal((await ask("PATCH", url, { ...piece, "upload-offset": "1000" }, rest)).status, 404);
});
