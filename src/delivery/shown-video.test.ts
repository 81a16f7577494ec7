import assert from "node:assert/strict";
import { test } from "node:test";
import { storedRendition, storedVideo } from "../../test/support/stored-script.ts";
import { newVideoId } from "../core/ids.ts";
import type { StoredVideo } from "../packaging/stored-rendition.ts";
import { type SharedManifests, ShownVideo } from "./shown-video.ts";

const videoId = newVideoId();

/** What servers share, in memory. */
class Shelf implements SharedManifests {
  readonly texts = new Map<string, string>();
  /** Happens while an answer is on its way. */
  meanwhile = () => {};

  async get(key: string): Promise<string | undefined> {
    await Promise.resolve();
    this.meanwhile();
    return this.texts.get(key);
  }

  put(key: string, text: string): void {
    this.texts.set(key, text);
  }
}

function film(revision: number, segmentCount: number, change: Partial<StoredVideo> = {}): StoredVideo {
  return storedVideo({ revision, renditions: [storedRendition({ id: "720p", segmentCount })], ...change });
}

function show(video: StoredVideo, manifests?: SharedManifests) {
  const rendered: string[] = [];
  const shown = new ShownVideo(video, { videoId, onRender: (kind) => rendered.push(kind), manifests });
  return {
    shown,
    rendered,
    listed: async () => (await shown.playlist("720p", "segments"))?.text.match(/m4s/g)?.length,
  };
}

test("writes a playlist once for all servers that share", async () => {
  const shelf = new Shelf();
  const [first, second] = [show(film(1, 3), shelf), show(film(1, 3), shelf)];
  await Promise.all([first.listed(), first.listed()]);
  assert.equal(await second.listed(), 3);
  await second.shown.multivariant(undefined);
  assert.deepEqual([first.rendered, second.rendered], [["playlist"], ["multivariant"]]);
  const again = second.shown.playlist("720p", "segments");
  assert.ok(again && !(again instanceof Promise), "what is here is answered at once");
});

test("shows nothing of an older revision, whoever has kept it", async () => {
  const shelf = new Shelf();
  const older = show(film(1, 3), shelf);
  await older.listed();
  assert.equal(await show(film(2, 4), shelf).listed(), 4);
  older.shown.update(film(2, 4));
  assert.equal(await older.listed(), 4);
});

test("keeps for nobody what changed while it was asked for", async () => {
  const shelf = new Shelf();
  const { shown, listed } = show(film(1, 3), shelf);
  shelf.meanwhile = () => shown.update(film(2, 4));
  assert.equal(await listed(), 4);
  assert.deepEqual([...shelf.texts.keys()], []);
});

test("shares nothing of a video that grows", async () => {
  const shelf = new Shelf();
  assert.equal(await show(film(1, 3, { isFinal: false }), shelf).listed(), 3);
  assert.equal(shelf.texts.size, 0);
});

test("writes a playlist anew when another rendition raises the target of all", async () => {
  const { shown } = show(film(1, 3));
  const target = async () => /TARGETDURATION:(\d+)/.exec((await shown.playlist("720p", "segments"))?.text ?? "")?.[1];
  assert.equal(await target(), "4");
  const [own] = film(1, 3).renditions;
  const other = storedRendition({ id: "360p", segmentCount: 1 });
  const segments = other.segments.map((segment) => ({ ...segment, duration: 9 * 90_000 }));
  assert.ok(own);
  shown.update(storedVideo({ revision: 2, renditions: [own, { ...other, segments }] }));
  assert.equal(await target(), "9");
});
