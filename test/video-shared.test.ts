import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { SHORT, uploadFilm } from "./support/films.ts";
import { flashes } from "./support/flashes.ts";
import { type Headwater, soon, startHeadwater } from "./support/headwater.ts";
import type { LogLine } from "./support/logged-process.ts";
import { PostgresServer } from "./support/postgres-server.ts";
import { RedisServer } from "./support/redis-server.ts";
import { sourceDirectory, writeSource } from "./support/source-files.ts";

const directory = await sourceDirectory();

/** How often a server has written playlists of this kind. */
async function renderedCount(server: Headwater, kind: string): Promise<number> {
  const text = await (await server.get("/metrics")).text();
  const line = text.split("\n").find((each) => each.startsWith(`headwater_delivery_renders_total{kind="${kind}"}`));
  return Number(line?.split(" ")[1] ?? 0);
}

interface Asked {
  readonly text: string;
  readonly etag: string | null;
}

async function ask(server: Headwater, path: string): Promise<Asked> {
  const answer = await server.get(path);
  const text = await answer.text();
  assert.equal(answer.status, 200, `${path}: ${text}`);
  return { text, etag: answer.headers.get("etag") };
}

const lostRedis = ({ msg }: LogLine) => msg.startsWith("Redis keeps no playlists now");

test("two servers write the playlists of a video once, and go on without Redis", { timeout: 300_000 }, async (t) => {
  await using postgres = await PostgresServer.start();
  await using redis = await RedisServer.start();
  const settings = {
    ...SHORT,
    "database-url": await postgres.createDatabase(),
    "redis-url": redis.url,
    "storage-directory": join(directory, "objects"),
  };
  const { picture, sound } = flashes({ seconds: 2 });
  const options = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac"];
  const path = await writeSource(...picture, ...sound, ...options, join(directory, "film.mp4"));
  await using first = await startHeadwater({ settings });
  await using second = await startHeadwater({ settings: { ...settings, "jobs-worker": "false" } });
  const film = await uploadFilm(first, path);
  await film.until(["ready"], soon(120));
  const base = `/videos/${film.videoId}`;

  await t.test("what one has written the other answers with, to the byte", async () => {
    for (const [name, kind] of [
      ["master.m3u8", "multivariant"],
      ["manifest.mpd", "mpd"],
      ["source/playlist.m3u8", "playlist"],
      ["source/iframes.m3u8", "playlist"],
    ] as const) {
      const written = await ask(first, `${base}/${name}`);
      const before = await renderedCount(second, kind);
      assert.deepEqual(await ask(second, `${base}/${name}`), written);
      assert.equal(await renderedCount(second, kind), before, `${name} was written again`);
    }
    assert.ok((await renderedCount(first, "multivariant")) > 0, "the first has written it");
  });

  await t.test("both go on when Redis is gone", async () => {
    const other = await uploadFilm(first, path);
    await other.until(["ready"], soon(120));
    await redis.kill();
    await Promise.all([first, second].map((server) => server.untilLogged(lostRedis, soon())));
    const written = await ask(first, `/videos/${other.videoId}/master.m3u8`);
    assert.deepEqual(await ask(second, `/videos/${other.videoId}/master.m3u8`), written);
    await ask(second, `/videos/${other.videoId}/source/playlist.m3u8`);
  });
});
