import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { servedPostgres, temporaryDirectory } from "../../test/support/databases.ts";
import { DomainError } from "../core/errors.ts";
import { newStreamId, newVideoId } from "../core/ids.ts";
import { silentLogger } from "../core/logger.ts";
import { Database } from "../database/database.ts";
import { Catalog } from "./catalog.ts";
import { copyCatalog } from "./catalog-mover.ts";
import type { CatalogSchema } from "./schema.ts";

const postgres = servedPostgres();
/** More than one page of rows. */
const CHUNK_COUNT = 2500;

async function openDatabase(t: TestContext, url?: string): Promise<Database> {
  const database = await Database.open({ dataDir: await temporaryDirectory(t), url, log: silentLogger });
  t.after(() => database.close());
  return database;
}

async function fill(database: Database): Promise<void> {
  const { streams, videos } = await Catalog.on(database);
  const videoId = newVideoId();
  await videos.create({ videoId, title: "Ünïcode 🎬", description: null, source: null });
  const rendition = {
    kind: "video",
    origin: "rung",
    epoch: "e",
    position: 0,
    spec: { a: [1.5, null] },
    chunkCount: null,
  } as const;
  const renditions = ["720p", "360p"].map((renditionId) => ({ ...rendition, renditionId }));
  await videos.setPlan({ videoId, metadata: { b: "\0" }, plan: {}, durationMs: 2 ** 40, renditions });
  const commits = Array.from({ length: CHUNK_COUNT }, (_, index) =>
    videos.commitChunk({
      videoId,
      renditionId: "720p",
      epoch: "e",
      index,
      keyPrefix: `${index}/`,
      segments: [],
      init: {},
    }),
  );
  await Promise.all(commits);
  await videos.addArtifacts(videoId, [{ name: "a", key: "k", contentType: "x", sizeBytes: 1, details: null }]);
  const settings = { qualities: null, enableHls: true, enableDash: true, lowLatency: true, transcode: true };
  const streamId = newStreamId();
  await streams.create({ streamId, name: null, ingestType: "rtmp", keyHash: "h", keyHint: "h", settings });
  await streams.setVideo(streamId, videoId);
}

/** Everything that the catalog holds. */
async function contentOf(database: Database) {
  const { reader } = database.tables<CatalogSchema>();
  const names = ["video", "video_rendition", "video_chunk", "video_artifact", "stream"] as const;
  const rowsOf = async (name: (typeof names)[number]) => {
    const rows: object[] = await reader.selectFrom(name).selectAll().execute();
    return rows.map((row) => JSON.stringify(row, Object.keys(row).sort())).sort();
  };
  return Promise.all(names.map(async (name) => [name, await rowsOf(name)] as const));
}

test("copies every row of every table into an empty database, once", async (t) => {
  const from = await openDatabase(t);
  await fill(from);
  const to = await openDatabase(t, await postgres().createDatabase());
  assert.deepEqual(await copyCatalog(from, to), [
    { table: "video", rowCount: 1 },
    { table: "video_rendition", rowCount: 2 },
    { table: "video_chunk", rowCount: CHUNK_COUNT },
    { table: "video_artifact", rowCount: 1 },
    { table: "stream", rowCount: 1 },
  ]);
  const content = await contentOf(from);
  assert.deepEqual(await contentOf(to), content);
  await assert.rejects(
    copyCatalog(from, to),
    (problem) => problem instanceof DomainError && /table video has 1 rows/.test(problem.message),
  );
  assert.deepEqual(await contentOf(to), content, "a target that is not empty stays as it was");
});

test("copies every table that the catalog has", async (t) => {
  const from = await openDatabase(t);
  const to = await openDatabase(t, await postgres().createDatabase());
  const moved = (await copyCatalog(from, to)).map(({ table }) => table);
  const tables = await from.exclusively((db) => db.introspection.getTables());
  const own = tables.map(({ name }) => name).filter((name) => !name.startsWith("kysely_"));
  assert.deepEqual(moved.toSorted(), own.toSorted());
});

test("leaves the target empty when a row cannot be kept there", async (t) => {
  const from = await openDatabase(t);
  const { streams, videos } = await Catalog.on(from);
  const settings = { qualities: null, enableHls: true, enableDash: true, lowLatency: true, transcode: true };
  await videos.create({ videoId: newVideoId(), title: "fine", description: null, source: null });
  // PostgreSQL keeps no text with a NUL; SQLite does.
  const basics = { streamId: newStreamId(), ingestType: "rtmp", keyHash: "h", keyHint: "h", settings } as const;
  await streams.create({ ...basics, name: "a\0b" });
  const to = await openDatabase(t, await postgres().createDatabase());
  await assert.rejects(copyCatalog(from, to), DomainError);
  assert.deepEqual(
    (await contentOf(to)).flatMap(([, rows]) => rows),
    [],
  );
});
