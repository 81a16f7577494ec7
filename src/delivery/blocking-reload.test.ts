import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { serve, servedPresentation } from "../../test/support/served-presentation.ts";

const PLAYLIST = "/streams/cam/source/playlist.m3u8";

test("holds a request until the part is listed, then sends the whole playlist for six target durations", async (t) => {
  const presentation = servedPresentation();
  const { ask, counts, delivery } = await serve(t, presentation);
  const answer = ask(`${PLAYLIST}?_HLS_msn=4&_HLS_part=1`);
  await counts.until("handled", 1);
  presentation.advance();
  assert.equal(delivery.heldCount, 1);
  presentation.advance();
  const { status, headers, body } = await answer;
  assert.equal(status, 200);
  assert.equal(headers["cache-control"], "public, max-age=12");
  assert.match(body.toString(), /^#EXTM3U.*e0-1\.m4s.*URI="e0-4\.1\.m4s".*PRELOAD-HINT:TYPE=PART,URI="e0-4\.2\.m4s"/s);
  assert.equal(delivery.heldCount, 0);
});

test("holds a request for a segment until it is complete", async (t) => {
  const presentation = servedPresentation();
  const { ask, counts, delivery } = await serve(t, presentation);
  const answer = ask(`${PLAYLIST}?_HLS_msn=4`);
  await counts.until("handled", 1);
  presentation.advance();
  assert.equal(delivery.heldCount, 1);
  presentation.complete();
  assert.match((await answer).body.toString(), /\ne0-4\.m4s\n/);
});

test("answers at once what is already listed, as a whole or as a delta", async (t) => {
  const presentation = servedPresentation({ options: { windowSegmentCount: 30 } });
  for (let i = 0; i < 20; i++) presentation.addSegment();
  const { ask } = await serve(t, presentation);
  const full = await ask(`${PLAYLIST}?_HLS_msn=2`);
  assert.doesNotMatch(full.body.toString(), /EXT-X-SKIP/);
  const delta = await ask(`${PLAYLIST}?_HLS_msn=2&_HLS_skip=YES`);
  assert.match(delta.body.toString(), /#EXT-X-SKIP:SKIPPED-SEGMENTS=\d+\n/);
  assert.notEqual(delta.headers.etag, full.headers.etag);
});

test("refuses at once what cannot be waited for, and lets nobody keep the refusal", async (t) => {
  const { ask } = await serve(t, servedPresentation());
  for (const query of ["_HLS_part=1", "_HLS_msn=-1", "_HLS_msn=x", "_HLS_msn=900", "_HLS_msn=4&_HLS_part=90"]) {
    const answer = await ask(`${PLAYLIST}?${query}`);
    assert.equal(answer.status, 400, query);
    assert.equal(answer.headers["cache-control"], "no-store");
    assert.equal(answer.headers["access-control-allow-origin"], "*");
    assert.equal(JSON.parse(answer.body.toString()).code, "INVALID_REQUEST");
  }
});

test("renders once for all who wait, however many, and sends all the same bytes", async (t) => {
  const presentation = servedPresentation();
  const { ask, counts } = await serve(t, presentation);
  const waiting = Array.from({ length: 300 }, () =>
    ask(`${PLAYLIST}?_HLS_msn=4&_HLS_part=0`, { headers: { "accept-encoding": "gzip" } }),
  );
  await counts.until("handled", 300);
  presentation.advance();
  const answers = await Promise.all(waiting);
  assert.deepEqual(counts.renderedKinds, ["playlist"]);
  assert.equal(new Set(answers.map(({ headers, body }) => `${headers.etag} ${body.toString("base64")}`)).size, 1);
});

test("lets each rendition wait for itself", async (t) => {
  const presentation = servedPresentation();
  const { ask, counts, delivery } = await serve(t, presentation);
  const video = ask(`${PLAYLIST}?_HLS_msn=4&_HLS_part=0`);
  const audio = ask("/streams/cam/audio_source/playlist.m3u8?_HLS_msn=4&_HLS_part=0");
  await counts.until("handled", 2);
  presentation.advance("audio_source");
  assert.equal((await audio).status, 200);
  assert.equal(delivery.heldCount, 1);
  presentation.advance("source");
  assert.equal((await video).status, 200);
});

test("forgets a thousand requests whose connections close", async (t) => {
  const { ask, counts, delivery } = await serve(t, servedPresentation());
  for (let batch = 1; batch <= 4; batch++) {
    const left = new AbortController();
    const gone = Array.from({ length: 250 }, (_, i) => {
      const path = i % 2 ? `${PLAYLIST}?_HLS_msn=4&_HLS_part=${i % 5}` : "/streams/cam/source/e0-4.0.m4s";
      return assert.rejects(ask(path, { signal: left.signal }));
    });
    await counts.until("handled", batch * 250);
    assert.equal(delivery.heldCount, 250);
    left.abort();
    await Promise.all(gone);
    await counts.until("closed", batch * 250);
  }
  assert.equal(delivery.heldCount, 0);
});

test("refuses after three target durations, oldest first, and lets nobody keep the refusal", async (t) => {
  const { ask, clock, counts, delivery } = await serve(t, servedPresentation());
  const first = ask(`${PLAYLIST}?_HLS_msn=4&_HLS_part=0`);
  await counts.until("handled", 1);
  clock.advance(4000);
  const second = ask(`${PLAYLIST}?_HLS_msn=4&_HLS_part=0`);
  await counts.until("handled", 2);
  clock.advance(1999);
  assert.equal(delivery.heldCount, 2);
  clock.advance(1);
  const answer = await first;
  assert.equal(answer.status, 503);
  assert.equal(answer.headers["retry-after"], "1");
  assert.equal(answer.headers["cache-control"], "no-store");
  assert.equal(answer.headers["access-control-allow-origin"], "*");
  assert.equal(delivery.heldCount, 1);
  clock.advance(4000);
  assert.equal((await second).status, 503);
});

test("refuses to hold more than its bounds", async (t) => {
  for (const limits of [{ maxHeldCount: 2 }, { maxHeldPerStreamCount: 2 }]) {
    const presentation = servedPresentation();
    const { ask, counts, delivery } = await serve(t, presentation, limits);
    const held = [ask(`${PLAYLIST}?_HLS_msn=4`), ask("/streams/cam/source/e0-4.0.m4s")];
    await counts.until("handled", 2);
    const refused = await ask(`${PLAYLIST}?_HLS_msn=4`);
    assert.equal(refused.status, 503);
    assert.equal(refused.headers["cache-control"], "no-store");
    presentation.finish();
    await Promise.all(held);
    assert.equal(delivery.heldCount, 0);
    assert.equal((await ask(`${PLAYLIST}?_HLS_msn=4`)).status, 200);
  }
});

test("answers all who wait when the stream ends, and does not let the end be kept for long", async (t) => {
  const presentation = servedPresentation();
  const { ask, counts } = await serve(t, presentation);
  const waiting = [ask(`${PLAYLIST}?_HLS_msn=4&_HLS_part=3`), ask(`${PLAYLIST}?_HLS_msn=5`)];
  await counts.until("handled", 2);
  presentation.finish();
  for (const { status, headers, body } of await Promise.all(waiting)) {
    assert.equal(status, 200);
    assert.match(body.toString(), /#EXT-X-ENDLIST\n$/);
    assert.equal(headers["cache-control"], "public, max-age=1");
  }
  assert.equal((await ask(`${PLAYLIST}?_HLS_msn=9000&_HLS_part=1`)).status, 200);
});

test("weighs If-None-Match only once the wait is over", async (t) => {
  const presentation = servedPresentation();
  const { ask, counts } = await serve(t, presentation);
  const before = await ask(PLAYLIST);
  const answer = ask(`${PLAYLIST}?_HLS_msn=4&_HLS_part=0`, { headers: { "if-none-match": before.headers.etag ?? "" } });
  await counts.until("handled", 2);
  presentation.advance();
  assert.equal((await answer).status, 200);
});

test("answers 404 to all who wait for a rendition that is given up", async (t) => {
  const presentation = servedPresentation();
  const { ask, counts, delivery } = await serve(t, presentation);
  const folder = "/streams/cam/audio_source";
  const waiting = [ask(`${folder}/playlist.m3u8?_HLS_msn=4`), ask(`${folder}/e0-4.0.m4s`), ask(`${folder}/e0-4.m4s`)];
  const other = ask(`${PLAYLIST}?_HLS_msn=4&_HLS_part=0`);
  await counts.until("handled", 4);
  presentation.drop("audio_source");
  for (const answer of await Promise.all(waiting)) assert.equal(answer.status, 404);
  assert.equal(delivery.heldCount, 1);
  presentation.advance();
  assert.doesNotMatch((await other).body.toString(), /audio_source/);
  assert.equal((await ask(`${folder}/playlist.m3u8`)).status, 404);
});

const IFRAMES = "/streams/cam/source/iframes.m3u8";

test("sends I-frame playlists as it sends the others: coded, checked, held until a segment brings a picture", async (t) => {
  const presentation = servedPresentation();
  const { ask, counts, delivery } = await serve(t, presentation);
  const plain = await ask(IFRAMES, { headers: { "accept-encoding": "gzip" } });
  assert.equal(plain.status, 200);
  assert.equal(plain.headers["content-type"], "application/vnd.apple.mpegurl");
  assert.equal(plain.headers["cache-control"], "public, max-age=1");
  assert.match(gunzipSync(plain.body).toString(), /#EXT-X-I-FRAMES-ONLY\n#EXT-X-MEDIA-SEQUENCE:100\n/);
  const { etag = "" } = plain.headers;
  assert.equal((await ask(IFRAMES, { headers: { "accept-encoding": "gzip", "if-none-match": etag } })).status, 304);
  const held = ask(`${IFRAMES}?_HLS_msn=103`);
  await counts.until("handled", 3);
  presentation.advance("source", { durationMs: 500, isIndependent: true });
  assert.equal(delivery.heldCount, 1);
  presentation.complete();
  const { headers, body } = await held;
  assert.equal(headers["cache-control"], "public, max-age=12");
  assert.match(body.toString(), /#EXT-X-BYTERANGE:1@1\n#EXTINF:0\.50000,\ne0-4\.m4s\n$/);
});

test("renders no I-frame playlist that nobody asks for, and has none of audio", async (t) => {
  const presentation = servedPresentation();
  const { ask, counts } = await serve(t, presentation);
  await ask(PLAYLIST);
  presentation.advance();
  await ask(PLAYLIST);
  assert.deepEqual(counts.renderedKinds, ["playlist", "playlist"]);
  assert.equal((await ask("/streams/cam/audio_source/iframes.m3u8")).status, 404);
  assert.equal((await ask("/streams/cam/none/iframes.m3u8")).status, 404);
});
