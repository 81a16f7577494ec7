import assert from "node:assert/strict";
import { test } from "node:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { type HttpAnswer, serve, servedPresentation } from "../../test/support/served-presentation.ts";

function assertPublic({ headers }: HttpAnswer): void {
  assert.equal(headers["access-control-allow-origin"], "*");
  assert.equal(headers["timing-allow-origin"], "*");
  assert.match(headers["access-control-expose-headers"] ?? "", /Date, Age, ETag/);
}

test("serves the multivariant playlist under both names, and media playlists and the MPD", async (t) => {
  const { ask } = await serve(t, servedPresentation());
  const master = await ask("/streams/cam/master.m3u8");
  assert.equal(master.status, 200);
  assert.equal(master.headers["content-type"], "application/vnd.apple.mpegurl");
  assert.match(master.body.toString(), /^#EXTM3U\n(.*\n)*source\/playlist\.m3u8\n/);
  assert.deepEqual((await ask("/streams/cam/playlist.m3u8")).body, master.body);
  const media = await ask("/streams/cam/source/playlist.m3u8");
  assert.match(media.body.toString(), /#EXT-X-PRELOAD-HINT:TYPE=PART,URI="e0-4\.0\.m4s"/);
  const mpd = await ask("/streams/cam/manifest.mpd");
  assert.equal(mpd.headers["content-type"], "application/dash+xml");
  assert.match(mpd.body.toString(), /value="http:\/\/127\.0\.0\.1:\d+\/time"|value="http:\/\/localhost:\d+\/time"/);
  for (const answer of [master, media, mpd]) {
    assertPublic(answer);
    assert.equal(answer.headers["cache-control"], "public, max-age=1");
    assert.equal(answer.headers.vary, "Accept-Encoding");
    assert.equal(answer.headers["accept-ranges"], undefined);
  }
});

test("sends whoever opens a stream that is not live to its video, and nobody else", async (t) => {
  const { ask, counts } = await serve(t, servedPresentation());
  const leads = { "master.m3u8": "master.m3u8", "playlist.m3u8": "master.m3u8", "manifest.mpd": "manifest.mpd" };
  for (const [name, target] of Object.entries(leads)) {
    const answer = await ask(`/streams/over/${name}`);
    assert.deepEqual([answer.status, answer.headers.location], [307, `../../videos/its-video/${target}`]);
    assert.equal(answer.headers["cache-control"], "public, max-age=1");
    assertPublic(answer);
  }
  for (const path of ["/streams/over/source/playlist.m3u8", "/streams/idle/master.m3u8", "/streams/none/master.m3u8"]) {
    assert.equal((await ask(path)).status, 404, path);
  }
  assert.deepEqual(
    counts.answers.map(({ status }) => status),
    [307, 307, 307, 404, 404, 404],
  );
});

test("leaves other paths to the API", async (t) => {
  const { ask, counts } = await serve(t, servedPresentation());
  for (const path of ["/streams/cam", "/streams/cam/heartbeat", "/streams/cam/whip", "/"]) {
    assert.equal((await ask(path)).status, 404, path);
  }
  assert.deepEqual(counts.answers, []);
});

test("gives each coding its own strong tag, and 304 for exactly that one", async (t) => {
  const { ask } = await serve(t, servedPresentation());
  const path = "/streams/cam/source/playlist.m3u8";
  const plain = await ask(path);
  const gzip = await ask(path, { headers: { "accept-encoding": "gzip" } });
  const br = await ask(path, { headers: { "accept-encoding": "gzip, deflate, br" } });
  assert.equal(gzip.headers["content-encoding"], "gzip");
  assert.equal(br.headers["content-encoding"], "br");
  assert.deepEqual(gunzipSync(gzip.body), plain.body);
  assert.deepEqual(brotliDecompressSync(br.body), plain.body);
  const tags = [plain, gzip, br].map(({ headers }) => headers.etag ?? "");
  assert.equal(new Set(tags).size, 3);
  for (const tag of tags) assert.match(tag, /^"[\w-]+"$/);

  const unchanged = await ask(path, { headers: { "accept-encoding": "gzip", "if-none-match": tags[1] ?? "" } });
  assert.equal(unchanged.status, 304);
  assert.equal(unchanged.body.byteLength, 0);
  for (const name of ["etag", "cache-control", "vary"]) assert.equal(unchanged.headers[name], gzip.headers[name]);
  assert.ok(unchanged.headers.date);
  assertPublic(unchanged);
  const other = await ask(path, { headers: { "accept-encoding": "gzip", "if-none-match": tags[0] ?? "" } });
  assert.equal(other.status, 200);
});

test("answers HEAD with the headers of GET and no body", async (t) => {
  const { ask } = await serve(t, servedPresentation());
  const names = ["master.m3u8", "manifest.mpd", "source/playlist.m3u8", "source/e0-0.init.mp4", "source/e0-2.m4s"];
  for (const name of [...names, "source/e0-2.1.m4s", "source/none.m4s"]) {
    const get = await ask(`/streams/cam/${name}`);
    const head = await ask(`/streams/cam/${name}`, { method: "HEAD", headers: { range: "bytes=0-1" } });
    assert.equal(head.status, get.status, name);
    assert.deepEqual({ ...head.headers, date: "" }, { ...get.headers, date: "" }, name);
    assert.equal(head.body.byteLength, 0, name);
  }
});

test("answers past node:http as by it", async (t) => {
  const { ask, askOnce } = await serve(t, servedPresentation());
  const part = "source/e0-2.1.m4s";
  const requests: [name: string, headers?: Record<string, string>][] = [
    ["master.m3u8", { "accept-encoding": "br" }],
    ["source/playlist.m3u8", { "accept-encoding": "gzip" }],
    ["source/playlist.m3u8?_HLS_msn=3&_HLS_part=0&_HLS_skip=YES"],
    ["source/playlist.m3u8?_HLS_msn=99"],
    ["manifest.mpd", { host: "cam.example" }],
    ["source/e0-0.init.mp4"],
    ["source/e0-2.m4s"],
    [part],
    [part, { range: "bytes=10-19" }],
    [part, { range: "bytes=1000-" }],
    [part, { "if-none-match": '"e0-2.1.m4s"' }],
    [part, { "if-match": '"other"' }],
    ["source/none.m4s"],
  ];
  for (const [name, headers = {}] of requests) {
    const direct = await ask(`/streams/cam/${name}`, { headers });
    const { connection, "keep-alive": keepAlive, ...shared } = direct.headers;
    assert.deepEqual([connection, keepAlive], ["keep-alive", "timeout=65"], name);
    const other = await askOnce(`/streams/cam/${name}`, { headers });
    assert.deepEqual({ ...other.headers, date: "" }, { ...shared, date: "", connection: "close" }, name);
    assert.deepEqual([other.status, other.body], [direct.status, direct.body], name);
  }
});

test("renders once per change, and keeps what a change leaves as it was", async (t) => {
  const presentation = servedPresentation();
  const { ask, counts } = await serve(t, presentation);
  const first = await ask("/streams/cam/master.m3u8");
  await ask("/streams/cam/master.m3u8");
  assert.deepEqual(counts.renderedKinds, ["multivariant"]);
  presentation.advance();
  const second = await ask("/streams/cam/master.m3u8");
  assert.deepEqual(counts.renderedKinds, ["multivariant", "multivariant"]);
  assert.equal(second.headers.etag, first.headers.etag);
});

test("moves the MPD's publishTime only when it says more, and for all who ask alike", async (t) => {
  const presentation = servedPresentation();
  const { ask, clock, counts } = await serve(t, presentation);
  presentation.advance();
  const readMpd = async (host: string) => {
    const { body } = await ask("/streams/cam/manifest.mpd", { headers: { host } });
    const [, publishTime = ""] = /publishTime="([^"]+)"/.exec(body.toString()) ?? [];
    const [, timeUrl] = /http-iso:2014" value="([^"]+)"/.exec(body.toString()) ?? [];
    return { publishTime, timeUrl };
  };
  const first = await readMpd("a.example");
  assert.equal(first.timeUrl, "http://a.example/time");
  clock.advance(5000);
  presentation.advance();
  assert.deepEqual(await readMpd("a.example"), first);
  assert.deepEqual(await readMpd("b.example:81"), { ...first, timeUrl: "http://b.example:81/time" });
  assert.equal((await readMpd('"><script>')).timeUrl, "/time");
  assert.equal(counts.renderedKinds.length, 3);

  for (const id of ["source", "audio_source"]) {
    presentation.addSegment(2000, [id]);
    presentation.events.emit("advance", presentation.rendition(id));
  }
  const second = await readMpd("a.example");
  assert.ok(second.publishTime > first.publishTime, `${second.publishTime} after ${first.publishTime}`);
});

test("names the reason when there is nothing to see, with CORS and for a second only", async (t) => {
  const { ask } = await serve(t, servedPresentation());
  for (const [id, code] of [
    ["idle", "STREAM_NOT_LIVE"],
    ["nobody", "STREAM_NOT_FOUND"],
  ]) {
    for (const name of ["master.m3u8", "manifest.mpd", "source/playlist.m3u8?_HLS_msn=900", "source/e0-1.m4s"]) {
      const answer = await ask(`/streams/${id}/${name}`);
      assert.equal(answer.status, 404);
      assert.equal(answer.headers["content-type"], "application/problem+json");
      assert.equal(answer.headers["cache-control"], "public, max-age=1");
      assertPublic(answer);
      assert.equal(JSON.parse(answer.body.toString()).code, code);
    }
  }
});

test("answers what is not there with 404, with CORS and for a second only", async (t) => {
  const { ask } = await serve(t, servedPresentation());
  for (const name of [
    "source/e0-99.m4s",
    "source/e0-4.1.m4s",
    "source/e9-1.m4s",
    "none/playlist.m3u8",
    "none/e0-1.m4s",
  ]) {
    const answer = await ask(`/streams/cam/${name}`);
    assert.equal(answer.status, 404, name);
    assert.equal(answer.headers["cache-control"], "public, max-age=1");
    assert.equal(JSON.parse(answer.body.toString()).status, 404);
    assertPublic(answer);
  }
});

test("answers preflights for a day, and other methods with 405", async (t) => {
  const { ask } = await serve(t, servedPresentation());
  for (const path of ["/time", "/streams/cam/master.m3u8", "/streams/nobody/source/e0-1.m4s"]) {
    const preflight = await ask(path, { method: "OPTIONS", headers: { origin: "https://a.example" } });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers["access-control-max-age"], "86400");
    assert.match(preflight.headers["access-control-allow-headers"] ?? "", /Range.*CMCD-Session/);
    assertPublic(preflight);
    const post = await ask(path, { method: "POST" });
    assert.equal(post.status, 405);
    assert.equal(post.headers.allow, "GET, HEAD, OPTIONS");
  }
});

test("tells the time, never kept", async (t) => {
  const { ask, clock } = await serve(t, servedPresentation());
  const answer = await ask("/time");
  assert.equal(answer.body.toString(), new Date(clock.nowMs()).toISOString());
  assert.equal(answer.headers["cache-control"], "no-store");
  assertPublic(answer);
});

test("counts viewers by their playlist requests, and answers by kind", async (t) => {
  const { ask, counts, delivery } = await serve(t, servedPresentation());
  const as = (agent: string) => ({ headers: { "user-agent": agent } });
  await ask("/streams/cam/source/playlist.m3u8", as("a"));
  await ask("/streams/cam/manifest.mpd", as("b"));
  await ask("/streams/cam/source/e0-1.m4s", as("c"));
  await ask("/streams/nobody/master.m3u8", as("d"));
  assert.equal(delivery.viewers.count("cam"), 2);
  assert.equal(delivery.viewers.count("nobody"), 0);
  assert.deepEqual(
    counts.answers.map(({ kind, status }) => `${kind} ${status}`),
    ["playlist 200", "mpd 200", "segment 200", "multivariant 404"],
  );
  assert.equal(counts.answers[2]?.bodyBytes, 400);
});
