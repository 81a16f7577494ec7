import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Headwater, soon, startHeadwater } from "./support/headwater.ts";
import { sourceDirectory, writeSource } from "./support/source-files.ts";

const directory = await sourceDirectory();

interface JobBody {
  readonly state: string;
  readonly video_id: string | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

async function untilEnded(server: Headwater, jobId: string): Promise<JobBody> {
  for (const signal = soon(); ; ) {
    const job = await server.ask<JobBody>("GET", `/api/v1/jobs/${jobId}`);
    if (["completed", "failed", "cancelled"].includes(job.state)) return job;
    assert.ok(!signal.aborted, `${JSON.stringify(job)}\n${server.output}`);
    await delay(50);
  }
}

test("imports a video from a URL, and says why it cannot", { timeout: 300_000 }, async (t) => {
  const picture = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2"];
  const encoded = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25"];
  const film = await readFile(await writeSource(...picture, ...encoded, join(directory, "film.mp4")));
  const origin = createServer((req, res) => {
    if (req.url === "/latest") res.writeHead(302, { location: "/films/My%20film.mp4" }).end();
    else if (req.url === "/films/My%20film.mp4") res.end(film);
    else if (req.url === "/page") res.end("<!doctype html><title>Film</title>");
    else res.writeHead(404).end();
  }).listen(0, "127.0.0.1");
  await once(origin, "listening");
  t.after(() => origin.close());
  const url = `http://127.0.0.1:${(origin.address() as AddressInfo).port}`;
  await using server = await startHeadwater({ settings: { "upload-import-networks": "127.0.0.1" } });
  const begin = (body: object) =>
    server.ask<{ video_id: string; job_id: string }>("POST", "/api/v1/videos/import", body);

  const begun = await begin({ url: `${url}/latest`, title: "Fetched" });
  const done = await untilEnded(server, begun.job_id);
  assert.deepEqual([done.state, done.video_id], ["completed", begun.video_id], JSON.stringify(done));
  const video = await server.ask<Record<string, unknown>>("GET", `/api/v1/videos/${begun.video_id}`);
  assert.equal(video.title, "Fetched");
  assert.deepEqual(video.source, { file_name: "My film.mp4", size_bytes: film.byteLength });

  for (const [path, code] of [
    ["/none", "INVALID_REQUEST"],
    ["/page", "NOT_MEDIA"],
  ] as const) {
    const { job_id: jobId, video_id: videoId } = await begin({ url: url + path });
    const { state, error } = await untilEnded(server, jobId);
    assert.deepEqual([state, error?.code], ["failed", code], JSON.stringify(error));
    await assert.rejects(server.ask("GET", `/api/v1/videos/${videoId}`), /answered 404/);
  }
  for (const refused of [
    "http://169.254.169.254/latest/meta-data",
    "http://[::1]/",
    "file:///etc/passwd",
    "film.mp4",
  ]) {
    await assert.rejects(begin({ url: refused }), /answered 400/, refused);
  }
  await assert.rejects(begin({ url, username: "me" }), /answered 422/);
});
