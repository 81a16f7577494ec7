import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Headwater, soon, startHeadwater } from "./support/headwater.ts";
import { sourceDirectory, writeSource } from "./support/source-files.ts";

const PATIENT = { timeout: 300_000 };
const BOUNDARY = "headwater-test";
const MAX_SIZE_BYTES = 1024 * 1024;
const directory = await sourceDirectory();

let server: Headwater;
let film: Buffer<ArrayBuffer>;

before(async () => {
  const picture = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2", "-f", "lavfi", "-i", "sine=d=2"];
  const encoded = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-c:a", "aac"];
  film = Buffer.from(await readFile(await writeSource(...picture, ...encoded, join(directory, "film.mp4"))));
  server = await startHeadwater({
    settings: {
      "jobs-worker": "false",
      "upload-max-size": "1MiB",
      "upload-max-concurrent": "2",
      "upload-idle-timeout": "5s",
    },
  });
});

after(() => server[Symbol.asyncDispose]());

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of every shape and assert what they find.
  readonly body: any;
}

async function answerOf(sent: ClientRequest): Promise<Answer> {
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: JSON.parse(await text(answer)) };
}

/** Begins an upload whose body is still to come. */
function begin(path: string, headers: Record<string, string | number> = {}): ClientRequest {
  const sent = request(new URL(path, server.httpUrl), {
    method: "POST",
    headers: {
      authorization: `Bearer ${server.adminToken}`,
      "content-type": `multipart/form-data; boundary=${BOUNDARY}`,
      ...headers,
    },
  });
  // A refusal can come before the end of the body, which then has nowhere to go.
  sent.on("error", () => undefined);
  sent.flushHeaders();
  return sent;
}

const fileHead = (name: string) =>
  `--${BOUNDARY}\r\nContent-Disposition: form-data; name="video"; filename="${name}"\r\nContent-Type: video/mp4\r\n\r\n`;

async function upload(path: string, form: Record<string, string | File>): Promise<Answer> {
  const body = new FormData();
  for (const [name, value] of Object.entries(form)) body.set(name, value);
  const headers = { authorization: `Bearer ${server.adminToken}` };
  const answer = await server.get(path, { method: "POST", headers, body });
  return { status: answer.status, headers: Object.fromEntries(answer.headers), body: await answer.json() };
}

/** Every object in the store, and whatever lies beside them on its way there. */
async function stored(): Promise<string[]> {
  const entries = await readdir(join(server.dataDir, "objects"), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
}

/** Nothing tells when a server has cleared away what nobody waits for: it is looked at until it has. */
async function untilStoredIs(expected: readonly string[], signal = soon()): Promise<void> {
  for (;;) {
    const found = await stored();
    if (found.length === expected.length && found.every((path) => expected.includes(path))) return;
    if (signal.aborted) assert.deepEqual(found, expected, server.output);
    await delay(20);
  }
}

test("takes a form at the documented path, and answers as documented", PATIENT, async () => {
  const { status, headers, body } = await upload("/api/videos/upload", {
    title: " Two seconds ",
    video: new File([film], "Café.mp4", { type: "video/mp4" }),
    description: "Of test pictures,\r\nand a tone",
  });
  assert.deepEqual(Object.keys(body), ["videoId", "message", "metadata"], JSON.stringify(body));
  assert.deepEqual([status, headers.location], [201, `/api/v1/videos/${body.videoId}`]);
  assert.equal(body.message, "Video uploaded successfully");
  const { duration, bitrate, ...metadata } = body.metadata;
  assert.deepEqual(metadata, { format: "mp4", width: 320, height: 180, fps: 25, codec: "h264" });
  assert.ok(Math.abs(duration - 2) < 0.1 && bitrate > 10_000, JSON.stringify(body.metadata));
  const video = await server.ask<Record<string, unknown>>("GET", `/api/v1/videos/${body.videoId}`);
  assert.deepEqual(
    [video.title, video.description, video.status],
    ["Two seconds", "Of test pictures,\r\nand a tone", "preparing"],
  );
  assert.deepEqual(video.source, { file_name: "Café.mp4", size_bytes: film.byteLength });
  const original = join(server.dataDir, "objects", "videos", body.videoId, "original");
  assert.ok(film.equals(await readFile(original)));
  await server.ask("DELETE", `/api/v1/videos/${body.videoId}`);
});

test("takes the other document's form: its path, the name of its field, and its id", PATIENT, async () => {
  const { id } = await server.createStream();
  const { status, body } = await upload("/api/v1/upload", { file: new File([film], "film.mp4"), stream_id: id });
  assert.equal(status, 201, JSON.stringify(body));
  assert.deepEqual([body.status, body.title], ["preparing", "film.mp4"]);
  const played = await server.get(`/streams/${id}/master.m3u8`, { redirect: "manual" });
  assert.deepEqual([played.status, played.headers.get("location")], [307, `../../videos/${body.video_id}/master.m3u8`]);
  assert.match(body.hls_url, new RegExp(`/videos/${body.video_id}/master\\.m3u8$`));
  await server.ask("DELETE", `/api/v1/videos/${body.video_id}`);
});

test("refuses what is no video, and leaves nothing behind", PATIENT, async () => {
  const before = await stored();
  const zip = Buffer.from("504b0304140000000800", "hex");
  const refusals: [string, Buffer<ArrayBuffer> | string, number, string][] = [
    ["film.mp4", Buffer.concat([zip, Buffer.alloc(5000, 7)]), 422, "NOT_MEDIA"],
    ["film.mp4", "#EXTM3U\n#EXTINF:2,\nfile:///etc/passwd\n", 422, "NOT_MEDIA"],
    ["film.mp4", "", 422, "NOT_MEDIA"],
    ["film.mp4", film.subarray(0, film.byteLength / 2), 422, "MEDIA_DAMAGED"],
  ];
  for (const [name, bytes, status, code] of refusals) {
    const answer = await upload("/api/videos/upload", { video: new File([bytes], name, { type: "video/mp4" }) });
    assert.deepEqual([answer.status, answer.body.code], [status, code], JSON.stringify(answer.body));
    assert.equal(answer.headers["content-type"], "application/problem+json");
    assert.ok(answer.body.detail.length > 10);
  }
  assert.deepEqual(await stored(), before);
});

test("refuses texts that it does not keep as soon as they are there", PATIENT, async () => {
  const sent = begin("/api/videos/upload");
  sent.write(
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="title"\r\n\r\n${"x".repeat(201)}\r\n${fileHead("a")}`,
  );
  const { status, body, headers } = await answerOf(sent);
  assert.deepEqual([status, body.code, headers.connection], [400, "INVALID_REQUEST", "close"]);
  assert.match(body.detail, /^title: /);
  sent.destroy();
});

test("refuses a file that is too large: by what its head claims, and in the middle", PATIENT, async () => {
  const before = await stored();
  const claimed = begin("/api/videos/upload", { "content-length": 11 * 2 ** 30 });
  const refused = await answerOf(claimed);
  assert.deepEqual([refused.status, refused.body.code], [413, "UPLOAD_TOO_LARGE"]);
  claimed.destroy();
  const endless = begin("/api/videos/upload");
  const answer = answerOf(endless);
  endless.write(fileHead("film.mp4"));
  const chunk = Buffer.alloc(64 * 1024);
  for (let sentBytes = 0; sentBytes <= MAX_SIZE_BYTES; sentBytes += chunk.byteLength) endless.write(chunk);
  const { status, body } = await answer;
  assert.deepEqual([status, body.code], [413, "UPLOAD_TOO_LARGE"]);
  assert.match(body.detail, /the 1 MiB that/);
  endless.destroy();
  await untilStoredIs(before);
});

test("keeps nothing of an upload that is cut off", PATIENT, async () => {
  const before = await stored();
  const cut = begin("/api/videos/upload");
  cut.write(fileHead("film.mp4"));
  cut.write(film.subarray(0, film.byteLength / 2));
  for (const signal = soon(); (await stored()).length === before.length; ) {
    assert.ok(!signal.aborted, server.output);
    await delay(20);
  }
  cut.destroy();
  await untilStoredIs(before);
});

test("cuts an upload that falls silent, and says so", PATIENT, async () => {
  const before = await stored();
  const silent = begin("/api/v1/upload");
  silent.write(fileHead("film.mp4"));
  silent.write(film.subarray(0, film.byteLength / 2));
  const { status, body } = await answerOf(silent);
  assert.deepEqual([status, body.code], [400, "UPLOAD_INCOMPLETE"]);
  assert.match(body.detail, /no more bytes came for 5 seconds/);
  await untilStoredIs(before);
});

test("takes no more uploads at once than are set", PATIENT, async () => {
  const running = [begin("/api/v1/upload"), begin("/api/v1/upload")];
  const answers = running.map(answerOf);
  for (const sent of running) sent.write(fileHead("film.mp4"));
  for (const signal = soon(); ; ) {
    const { status, body, headers } = await upload("/api/videos/upload", { title: "without a file" });
    assert.ok(!signal.aborted, JSON.stringify(body));
    // Until both have arrived, there is room.
    if (status === 400) continue;
    assert.deepEqual([status, body.code], [429, "LIMIT_REACHED"]);
    assert.ok(Number(headers["retry-after"]) > 0);
    break;
  }
  for (const sent of running) sent.end(`\r\n--${BOUNDARY}--\r\n`);
  for (const { status, body } of await Promise.all(answers)) {
    assert.deepEqual([status, body.code], [422, "NOT_MEDIA"]);
  }
});

test("asks for an admin before a body is read, and for a form", PATIENT, async () => {
  const before = await stored();
  const stranger = begin("/api/videos/upload", { authorization: "Bearer wrong" });
  stranger.write(fileHead("film.mp4"));
  assert.equal((await answerOf(stranger)).body.code, "UNAUTHENTICATED");
  stranger.destroy();
  const headers = { authorization: `Bearer ${server.adminToken}`, "content-type": "video/mp4" };
  const bare = await server.get("/api/v1/upload", { method: "POST", headers, body: film });
  assert.deepEqual([bare.status, ((await bare.json()) as { code: string }).code], [415, "INVALID_REQUEST"]);
  await untilStoredIs(before);
});
