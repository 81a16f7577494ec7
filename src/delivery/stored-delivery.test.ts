import assert from "node:assert/strict";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { StoredConformance } from "../../test/support/conformance/stored-conformance.ts";
import { Counts } from "../../test/support/served-presentation.ts";
import { storedVideo } from "../../test/support/stored-script.ts";
import { grownTo, storeRendition, storeText } from "../../test/support/stored-video.ts";
import { ManualClock } from "../core/clock.ts";
import { newVideoId } from "../core/ids.ts";
import { silentLogger } from "../core/logger.ts";
import type { HttpRequest, HttpResponse } from "../http/http-exchange.ts";
import { createHttpServer } from "../http/server.ts";
import type { StoredVideo } from "../packaging/stored-rendition.ts";
import { MemoryObjectStore } from "../storage/memory/memory-object-store.ts";
import { StoredDelivery } from "./stored-delivery.ts";

const SECONDS = 6;
const TARGET_MS = 1_000;
const PATIENT = { timeout: 120_000 };
const videoId = newVideoId();
const store = new MemoryObjectStore();
const clock = new ManualClock();
const picture = (size: string) =>
  `-f lavfi -i testsrc2=s=${size}:r=25:d=${SECONDS} -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 25 -bf 2`;
const sound = `-f lavfi -i sine=d=${SECONDS} -c:a aac`;

let whole: StoredVideo;
/** As it stands. */
let video: StoredVideo | undefined;
let origin = "";

const delivery = new StoredDelivery({
  ...{ videos: { get: async (id) => (id === videoId ? video : undefined) }, store, clock, log: silentLogger },
  metrics: new Counts(),
});
const answer = (req: HttpRequest, res: HttpResponse) => delivery.handle(req, res);
const server = createHttpServer({
  ...{ host: "127.0.0.1", port: 0, log: silentLogger, direct: answer, fast: answer, limits: { closeGraceMs: 1 } },
});

before(async () => {
  const source = { id: "source", origin: "source", audioRenditionId: "audio" } as const;
  const rung = { id: "240p", origin: "rung", audioRenditionId: "audio" } as const;
  const vtt = "WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n";
  whole = storedVideo({
    ...{ durationMs: SECONDS * 1000, segmentTargetMs: TARGET_MS, targetDurationS: TARGET_MS / 1000 },
    renditions: [
      await storeRendition(store, picture("640x360"), TARGET_MS, source),
      await storeRendition(store, picture("426x240"), TARGET_MS, rung),
      await storeRendition(store, sound, TARGET_MS, { id: "audio", origin: "rung", language: "en", label: "English" }),
    ],
    texts: [await storeText(store, vtt, "en", "English")],
  });
  origin = `http://127.0.0.1:${(await server.start()).port}`;
});
after(() => server.close());

/** The video is another one now, and delivery looks. */
function become(next: StoredVideo | undefined): void {
  video = next;
  clock.advance(60_000);
}

async function ask(path: string): Promise<{ status: number; headers: IncomingMessage["headers"]; body: string }> {
  const [response] = (await once(get(`${origin}${path}`), "response")) as [IncomingMessage];
  return { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) };
}

test("breaks no rule from its first segments to its end", PATIENT, async () => {
  const conformance = new StoredConformance(`${origin}/videos/${videoId}/master.m3u8`);
  const seen: number[] = [];
  for (const [index, ms] of [2_000, 4_000, 5_000].entries()) {
    become(grownTo(whole, ms, index + 2));
    seen.push((await conformance.look()).seen.segments);
  }
  become({ ...whole, revision: 10 });
  const last = await conformance.look();
  assert.equal(last.violations.report(), "");
  assert.ok(
    seen.every((count, index) => count > (seen[index - 1] ?? 0)) && last.seen.segments > (seen.at(-1) ?? 0),
    `${seen}`,
  );
  assert.deepEqual(
    [last.seen.renditions, last.seen.words, last.seen.representations, last.seen.pictures],
    [3, 1, 3, 2 * SECONDS],
  );
});

test("is found at the documented addresses, whose media are beside the others", PATIENT, async () => {
  become({ ...whole, revision: 11 });
  const hls = `/api/stream/${videoId}/hls/playlist.m3u8`;
  const dash = `/api/stream/${videoId}/dash/manifest.mpd`;
  const own = await ask(`/videos/${videoId}/master.m3u8`);
  const master = await ask(hls);
  assert.deepEqual([master.status, master.headers["content-type"]], [200, own.headers["content-type"]]);
  const names = (body: string, base: string) =>
    body.split("\n").flatMap((line) => {
      const name = /URI="([^"]+)"/.exec(line)?.[1] ?? (/^[^#]/.test(line) ? line : undefined);
      return name ? [new URL(name, `${origin}${base}`).pathname] : [];
    });
  assert.deepEqual(names(master.body, hls), names(own.body, `/videos/${videoId}/master.m3u8`));
  const mpd = await ask(dash);
  const base = /<BaseURL>([^<]+)<\/BaseURL>/.exec(mpd.body)?.[1] ?? "";
  assert.equal(new URL(base, `${origin}${dash}`).pathname, `/videos/${videoId}/`);
  assert.match(mpd.body, /<SegmentTimeline>/);
  assert.equal((await ask(`/api/stream/${newVideoId()}/hls/playlist.m3u8`)).status, 404);
  assert.equal((await ask(`/api/stream/nothing/hls/playlist.m3u8`)).status, 404);
});

test("lets caches keep what is final for a day, what grows for a second, and segments for ever", PATIENT, async () => {
  const kept = async (name: string) => (await ask(`/videos/${videoId}/${name}`)).headers["cache-control"];
  become(grownTo(whole, 4_000, 12));
  assert.equal(await kept("master.m3u8"), "public, max-age=1");
  become({ ...whole, revision: 13 });
  for (const name of ["master.m3u8", "manifest.mpd", "source/playlist.m3u8"]) {
    assert.equal(await kept(name), "public, max-age=86400", name);
  }
  assert.equal(await kept("source/e1-1.m4s"), "public, max-age=31536000, immutable");
});

test("says what is not there, and what cannot be played yet", PATIENT, async () => {
  become({ ...whole, revision: 14 });
  for (const name of [
    "none/playlist.m3u8",
    "audio/iframes.m3u8",
    "source/e1-99.m4s",
    "source/e0-1.m4s",
    "poster.jpg",
  ]) {
    const { status, body } = await ask(`/videos/${videoId}/${name}`);
    assert.deepEqual([status, JSON.parse(body).code], [404, "NOT_FOUND"], name);
  }
  become({ ...whole, revision: 15, isPlayable: false });
  const early = await ask(`/videos/${videoId}/master.m3u8`);
  assert.deepEqual([early.status, JSON.parse(early.body).detail], [404, `Video ${videoId} cannot be played yet`]);
  become(undefined);
  assert.equal(JSON.parse((await ask(`/videos/${videoId}/master.m3u8`)).body).code, "VIDEO_NOT_FOUND");
});

test("finds a file that was made a moment ago, though the video was final before", PATIENT, async () => {
  become({ ...whole, revision: 16 });
  const path = `/videos/${videoId}/poster.jpg`;
  assert.equal((await ask(path)).status, 404);
  await store.put("posters/1", Buffer.from("picture"));
  const poster = { key: "posters/1", contentType: "image/jpeg", sizeBytes: 7 };
  video = { ...whole, revision: 17, files: new Map([["poster.jpg", poster]]) };
  const { status, body } = await ask(path);
  assert.deepEqual([status, body], [200, "picture"]);
});
