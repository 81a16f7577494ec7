import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { type MediaPlaylist, positionOf, readMediaPlaylist } from "./support/conformance/media-playlist.ts";
import { type Headwater, soon, startHeadwater, type TestStream } from "./support/headwater.ts";
import { publishWithFfmpeg, type RunningProgram } from "./support/publishers.ts";
import { CACHE_PROGRAMS, type CacheAnswer, type SharedCache } from "./support/shared-caches.ts";

const VIEWER_COUNT = 100;
/** Blocking reloads of each viewer, with a part each. */
const ROUND_COUNT = 6;
const SETTINGS = { transcode: false, reconnect_window_ms: 30_000 };

/** How browsers and programs word what they can decode, and what they get of it from a cache that keeps every coding. */
const ACCEPTED_CODINGS: readonly (readonly [accept: string, coding: string])[] = [
  ["gzip, deflate, br, zstd", "br"],
  ["gzip, deflate, br", "br"],
  ["br;q=0, gzip;q=0.8", "gzip"],
  ["deflate, gzip", "gzip"],
  ["gzip;q=0", "identity"],
  ["", "identity"],
];

let server: Headwater;
let stream: TestStream;
let ended: TestStream;
let publisher: RunningProgram;
before(async () => {
  server = await startHeadwater();
  stream = await server.createStream(SETTINGS);
  publisher = publishWithFfmpeg(stream.publishUrl, { gopFrames: 25 });
  ended = await server.createStream({ transcode: false, reconnect_window_ms: 0 });
  await publishWithFfmpeg(ended.publishUrl, { seconds: 3 }).ended;
  await ended.until("ready", soon());
  await stream.untilIt(({ renditions }) => renditions.length === 2, soon());
});
after(async () => {
  await publisher[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

for (const { name, start } of CACHE_PROGRAMS) {
  describe(`${name} in front of Headwater`, () => {
    let cache: SharedCache;
    before(async () => {
      cache = await start(server.httpUrl);
    });
    after(() => cache[Symbol.asyncDispose]());

    test(`${VIEWER_COUNT} viewers at the live edge are one to Headwater`, async (t) => {
      const start = await playlistNow();
      const countsBefore = await countAnswers();
      const audience = new Audience(cache, mediaPath("source"));
      await Promise.all(Array.from({ length: VIEWER_COUNT }, () => audience.watch(start, ROUND_COUNT)));
      const countsAfter = await countAnswers();
      const asked = (kind: string) => countsAfter.get(`${kind} 200`, 0) - countsBefore.get(`${kind} 200`, 0);
      t.diagnostic(`the last viewer has an answer ${audience.spreadMs.toFixed(0)} ms after the first, at most`);

      assert.equal(audience.answerCount, VIEWER_COUNT * ROUND_COUNT * 2);
      assert.equal(asked("playlist"), audience.playlists.size);
      assert.equal(asked("part"), audience.parts.size);
      assert.equal(countsAfter.total - countsBefore.total, audience.playlists.size + audience.parts.size);
      for (const answers of [...audience.playlists.values(), ...audience.parts.values()]) {
        assert.equal(answers.bodies.size, 1);
      }
    });

    test("playlists come in the coding that was asked for, each with its own tag", async () => {
      // Of a broadcast that is over: each coding is fetched by itself, and a live playlist may change between two of them.
      const path = `/streams/${ended.id}/source/playlist.m3u8?test=${settledCount++}`;
      const asked = await Promise.all(
        ACCEPTED_CODINGS.map(([accept]) => cache.ask(path, { "accept-encoding": accept })),
      );
      const plain = (await cache.ask(path)).body.toString();
      assert.match(plain, /^#EXTM3U\n/);
      const tags = new Map<string, Set<unknown>>();
      for (const [i, answer] of asked.entries()) {
        const [accept, wanted] = ACCEPTED_CODINGS[i] ?? ["", ""];
        const coding = answer.headers["content-encoding"] ?? "identity";
        // Varnish keeps gzip alone and takes it apart for who does not know it.
        if (name === "nginx") assert.equal(coding, wanted, accept);
        else assert.equal(coding, /gzip(?!;q=0$)/.test(accept) ? "gzip" : "identity", accept);
        assert.equal(decoded(answer), plain, accept);
        assert.match(answer.headers.vary ?? "", /Accept-Encoding/);
        tags.set(coding, (tags.get(coding) ?? new Set()).add(answer.headers.etag));
      }
      assert.ok([...tags.values()].every((each) => each.size === 1));
      assert.equal(new Set([...tags.values()].flatMap((each) => [...each])).size, tags.size);
    });

    test("every wording of a coding is one request to Headwater", async () => {
      const path = await settledPlaylist();
      const countsBefore = await countAnswers();
      for (const [accept] of ACCEPTED_CODINGS) await cache.ask(path, { "accept-encoding": accept });
      const countsAfter = await countAnswers();
      assert.equal(countsAfter.total - countsBefore.total, name === "nginx" ? 3 : 1);
    });

    test("who has a playlist or a part is told so without asking Headwater", async () => {
      const playlist = await settledPlaylist();
      for (const path of [playlist, await partPath()]) {
        const first = await cache.ask(path, { "accept-encoding": "gzip" });
        const countsBefore = await countAnswers();
        const headers = { "accept-encoding": "gzip", "if-none-match": first.headers.etag ?? "" };
        const again = await cache.ask(path, headers);
        assert.deepEqual([again.status, again.body.length], [304, 0]);
        assert.equal(again.headers.etag, first.headers.etag);
        assert.equal(again.headers["cache-control"], first.headers["cache-control"]);
        assert.equal((await countAnswers()).total, countsBefore.total);
      }
    });

    test("says how long each thing lasts, and to pages of every origin", async () => {
      const lifetimes = {
        [path("master.m3u8")]: "public, max-age=1",
        [path("manifest.mpd")]: "public, max-age=1",
        [mediaPath("source")]: "public, max-age=1",
        [await settledPlaylist()]: "public, max-age=12",
        [await partPath()]: "public, max-age=31536000, immutable",
      };
      for (const [each, lifetime] of Object.entries(lifetimes)) {
        const { status, headers } = await cache.ask(each);
        assert.equal(status, 200, each);
        assert.equal(headers["cache-control"], lifetime, each);
        assert.equal(headers["access-control-allow-origin"], "*", each);
        assert.match(headers["access-control-expose-headers"] ?? "", /\bAge\b/, each);
        // nginx has no such header; players then take what they get for new.
        if (name === "Varnish") assert.match(headers.age ?? "", /^\d+$/, each);
      }
    });

    test("a range of what is not kept yet is a range, and the whole is kept", async () => {
      const { complete } = await playlistNow();
      const segment = path(`source/${complete.at(-2)?.uri}`);
      const part = await cache.ask(segment, { range: "bytes=10-109" });
      const whole = await cache.ask(segment);
      assert.deepEqual([part.status, whole.status], [206, 200]);
      assert.equal(part.headers["content-range"], `bytes 10-109/${whole.body.length}`);
      assert.deepEqual(part.body, whole.body.subarray(10, 110));
      assert.deepEqual(whole.body, Buffer.from(await (await server.get(segment)).arrayBuffer()));
    });

    test("no other spelling of a name spoils what the name itself brings", async () => {
      const part = await partPath();
      await cache.ask(part.replace(/\.m4s$/, "%2Em4s"));
      await cache.ask(`${part}?of=no-meaning`);
      const head = await cache.ask(part, {}, "HEAD");
      const { status, body } = await cache.ask(part);
      assert.deepEqual([status, body], [200, Buffer.from(await (await server.get(part)).arrayBuffer())]);
      assert.deepEqual([head.status, head.headers["content-length"]], [200, String(body.length)]);
      const playlist = mediaPath("source", "");
      const { msn } = positionOf(await playlistNow()) ?? { msn: 0 };
      await cache.ask(`${playlist}?_HLS_%6Dsn=${msn - 1}`);
      assert.equal((await cache.ask(playlist)).headers["cache-control"], "public, max-age=1");
    });

    test("a segment that is being made reaches several viewers before its end", async () => {
      const { complete, open } = await playlistNow("?_HLS_msn=0");
      const lastName = complete.at(-1)?.uri ?? "";
      const nextMsn = (open?.msn ?? (complete.at(-1)?.msn ?? 0) + 1) + 1;
      await playlistNow(`?_HLS_msn=${nextMsn}&_HLS_part=0`);
      const segment = path(`source/${lastName.replace(/-\d+\.m4s$/, `-${nextMsn}.m4s`)}`);
      const readers = await Promise.all([1, 2, 3].map(() => cache.open(segment)));
      assert.ok(
        (await playlistNow()).complete.every(({ msn }) => msn < nextMsn),
        "every head came before the end",
      );
      const bodies = await Promise.all(readers.map(async (reader) => Buffer.concat(await reader.toArray())));
      const whole = Buffer.from(await (await server.get(segment)).arrayBuffer());
      for (const body of bodies) assert.deepEqual(body, whole);
      assert.deepEqual((await cache.ask(segment)).body, whole);
    });

    test("nobody is given the playlist of some seconds ago", async () => {
      const old = positionOf(readMediaPlaylist((await cache.ask(mediaPath("source"))).body.toString()))?.msn ?? 0;
      for (const msn of [old, old + 1, old + 2]) await playlistNow(`?_HLS_msn=${msn}`);
      const { body } = await cache.ask(mediaPath("source"));
      assert.ok((positionOf(readMediaPlaylist(body.toString()))?.msn ?? 0) >= old + 2);
    });

    test("a refusal is not kept, and what is absent only for a moment", async () => {
      const tooFar = mediaPath("source", "?_HLS_msn=99999999");
      const countsBefore = await countAnswers();
      for (const each of [tooFar, tooFar]) {
        const { status, headers } = await cache.ask(each);
        assert.deepEqual(
          [status, headers["cache-control"], headers["access-control-allow-origin"]],
          [400, "no-store", "*"],
        );
      }
      const countsAfter = await countAnswers();
      assert.equal(countsAfter.get("playlist 400", 0) - countsBefore.get("playlist 400", 0), 2);

      const idle = await server.createStream({ transcode: false });
      const master = `/streams/${idle.id}/master.m3u8`;
      const absent = await cache.ask(master);
      assert.deepEqual([absent.status, absent.headers["cache-control"]], [404, "public, max-age=1"]);
      await using _publisher = publishWithFfmpeg(idle.publishUrl);
      await idle.untilIt(({ renditions }) => renditions.length === 2, soon());
      const limit = soon();
      while ((await cache.ask(master)).status !== 200) assert.ok(!limit.aborted, "kept for long");
    });

    test("pages are asked for anew, what they name is not", async () => {
      const { body, headers } = await cache.ask("/");
      assert.equal(headers["cache-control"], "no-cache");
      const [asset = ""] = /\/assets\/[^"]+/.exec(body.toString()) ?? [];
      assert.equal((await cache.ask(asset)).headers["cache-control"], "public, max-age=31536000, immutable");
    });

    test("what only the administrator may see is given to nobody else", async () => {
      for (const each of ["/api/v1/streams", `/streams/${stream.id}`]) {
        const own = await cache.ask(each, { authorization: `Bearer ${server.adminToken}` });
        const other = await cache.ask(each);
        assert.deepEqual([own.status, own.headers["cache-control"], other.status], [200, "no-store", 401], each);
      }
    });
  });
}

/** Viewers who ask as LL-HLS players do, and what they were answered. */
class Audience {
  /** By path. */
  readonly playlists = new Map<string, Answers>();
  readonly parts = new Map<string, Answers>();
  readonly #cache: SharedCache;
  readonly #path: string;

  constructor(cache: SharedCache, playlistPath: string) {
    this.#cache = cache;
    this.#path = playlistPath;
  }

  get answerCount(): number {
    return this.#all.reduce((sum, { count }) => sum + count, 0);
  }

  get spreadMs(): number {
    return Math.max(...this.#all.map(({ firstAtMs, lastAtMs }) => lastAtMs - firstAtMs));
  }

  /** One viewer, who asks for what follows `start`, the playlist and the announced part at once, again and again. */
  async watch(start: MediaPlaylist, roundCount: number): Promise<void> {
    let playlist = start;
    for (let i = 0; i < roundCount; i++) {
      const { msn, part } = positionOf(playlist) ?? { msn: 0, part: 0 };
      const hint = playlist.hints.find((each) => each.get("TYPE") === "PART")?.get("URI") ?? "";
      const [text] = await Promise.all([
        this.#ask(this.playlists, `${this.#path}?_HLS_msn=${msn}&_HLS_part=${part + 1}`),
        this.#ask(this.parts, path(`source/${hint.replaceAll('"', "")}`)),
      ]);
      playlist = readMediaPlaylist(text);
    }
  }

  get #all(): readonly Answers[] {
    return [...this.playlists.values(), ...this.parts.values()];
  }

  async #ask(kept: Map<string, Answers>, url: string): Promise<string> {
    const { status, body } = await this.#cache.ask(url);
    assert.equal(status, 200, url);
    const nowMs = performance.now();
    const answers = kept.get(url) ?? { bodies: new Set(), count: 0, firstAtMs: nowMs, lastAtMs: nowMs };
    kept.set(url, answers);
    answers.bodies.add(body.toString("latin1"));
    answers.count += 1;
    answers.lastAtMs = nowMs;
    return body.toString();
  }
}

test("nginx speaks HTTP/2 in front: one connection carries more held requests than a browser has connections", async () => {
  const nginx = CACHE_PROGRAMS.find(({ name }) => name === "nginx");
  assert.ok(nginx);
  await using cache = await nginx.start(server.httpUrl);
  const session = cache.connectHttp2();
  const ask = async (name: string) => {
    const answer = session.request({ ":path": name });
    const [headers] = await once(answer, "response");
    return { status: headers[":status"], body: Buffer.concat(await answer.toArray()) };
  };
  const { open, complete } = await playlistNow();
  const msn = (open?.msn ?? (complete.at(-1)?.msn ?? 0) + 1) + 1;
  const queries = Array.from({ length: 12 }, (_, number) => `?_HLS_msn=${msn}&_HLS_part=0&test=h2-${number}`);
  const held = queries.map((query, number) => ask(mediaPath(number % 2 ? "audio_source" : "source", query)));
  const partName = (complete.at(-1)?.uri ?? "").replace(/-\d+\.m4s$/, `-${msn}.0.m4s`);
  for (const { status, body } of await Promise.all(held)) {
    assert.equal(status, 200);
    const position = positionOf(readMediaPlaylist(body.toString()));
    assert.deepEqual([position?.msn, position?.part], [msn, 0]);
  }
  const part = await ask(path(`source/${partName}`));
  assert.deepEqual(part, {
    status: 200,
    body: Buffer.from(await (await server.get(path(`source/${partName}`))).arrayBuffer()),
  });
  session.destroy();
});

interface Answers {
  readonly bodies: Set<string>;
  readonly firstAtMs: number;
  count: number;
  lastAtMs: number;
}

function path(name: string): string {
  return `/streams/${stream.id}/${name}`;
}

function mediaPath(renditionId: string, query = ""): string {
  return path(`${renditionId}/playlist.m3u8${query}`);
}

/** What Headwater itself says now. */
async function playlistNow(query = ""): Promise<MediaPlaylist> {
  return readMediaPlaylist(await (await server.get(mediaPath("source", query))).text());
}

let settledCount = 0;

/** A blocking request whose answer is there, and that nobody has made before: it stays the same for its lifetime. */
async function settledPlaylist(): Promise<string> {
  const { msn } = positionOf(await playlistNow()) ?? { msn: 0 };
  return mediaPath("source", `?_HLS_msn=${msn - 1}&test=${settledCount++}`);
}

async function partPath(): Promise<string> {
  const { complete } = await playlistNow();
  return path(`source/${complete.at(-1)?.parts.at(0)?.uri}`);
}

/** Answers of Headwater to viewers so far, by kind and status. */
async function countAnswers(): Promise<AnswerCounts> {
  const text = await (await server.get("/metrics")).text();
  const rows = text.matchAll(/^headwater_delivery_responses_total\{kind="(\w+)",status="(\d+)"\} (\d+)$/gm);
  return new AnswerCounts([...rows].map(([, kind, status, count]) => [`${kind} ${status}`, Number(count)]));
}

class AnswerCounts {
  readonly total: number;
  readonly #counts: ReadonlyMap<string, number>;

  constructor(counts: readonly (readonly [string, number])[]) {
    this.#counts = new Map(counts);
    this.total = counts.reduce((sum, [, count]) => sum + count, 0);
  }

  get(key: string, otherwise: number): number {
    return this.#counts.get(key) ?? otherwise;
  }
}

function decoded({ body, headers }: CacheAnswer): string {
  if (headers["content-encoding"] === "br") return brotliDecompressSync(body).toString();
  return (headers["content-encoding"] === "gzip" ? gunzipSync(body) : body).toString();
}
