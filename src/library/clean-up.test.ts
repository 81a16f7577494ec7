import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { TestLibrary } from "../../test/support/libraries.ts";
import { ManualClock } from "../core/clock.ts";

const OBJECT_COUNT = 40;

/** A library whose clean-up stands still behind the first object that it hears of, until `goOn`. */
async function walking(t: TestContext) {
  const clock = new ManualClock(Date.now());
  const listed: string[] = [];
  const walk = Promise.withResolvers<void>();
  const going = Promise.withResolvers<void>();
  // Before the library closes, or a test that failed would wait for the walk that it holds up.
  t.after(() => going.resolve());
  const opened = await TestLibrary.open(t, {
    clock,
    watch: (store) => ({
      put: (...told) => store.put(...told),
      get: (...told) => store.get(...told),
      head: (key) => store.head(key),
      delete: (keys) => store.delete(keys),
      removeLeftovers: (...told) => store.removeLeftovers(...told),
      check: () => store.check(),
      close: () => store.close(),
      async *list(...told) {
        for await (const info of store.list(...told)) {
          listed.push(info.key);
          walk.resolve();
          await going.promise;
          yield info;
        }
      },
    }),
  });
  const { library, store } = opened;
  for (let index = 0; index < OBJECT_COUNT; index++) await store.put(`videos/none/${index}`, Buffer.from("young"));
  library.start();
  await walk.promise;
  return { ...opened, library, clock, listed, goOn: going.resolve };
}

test("a clean-up that finds nothing ends with the server, not at the end of the store", async (t) => {
  const { library, listed, goOn } = await walking(t);
  const closed = library.close();
  goOn();
  await closed;
  assert.equal(listed.length, 1);
});

test("lost work is taken up while a clean-up goes on", { timeout: 60_000 }, async (t) => {
  const { library, catalog, jobs, clock } = await walking(t);
  const { videoId, key } = library.newUpload();
  const source = { key, fileName: "film.avi", sizeBytes: 5 };
  await catalog.videos.create({ videoId, title: null, description: null, source });
  while ((await jobs.counts()).waiting === 0) {
    t.signal.throwIfAborted();
    clock.advance(1_000);
    await setImmediate();
  }
  const { jobs: waiting } = await jobs.list({ state: "waiting", limit: 10 });
  assert.deepEqual(
    waiting.map(({ kind, data }) => [kind, data.videoId]),
    [["video.prepare", videoId]],
  );
});
