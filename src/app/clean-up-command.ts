import { Catalog } from "../catalog/catalog.ts";
import { systemClock } from "../core/clock.ts";
import type { VideoId } from "../core/ids.ts";
import { Database } from "../database/database.ts";
import { cleanUp as cleanUpStore, deleteVideo, type Leftover } from "../library/clean-up.ts";
import type { CommandOptions } from "./command.ts";
import { openObjectStore } from "./object-store.ts";

/**
 * Deletes what no video names, and videos of which nothing could be made, as the server does by itself now and then. It
 * may run beside servers and workers.
 */
export async function cleanUp({ config, log, isDryRun, say }: CommandOptions): Promise<void> {
  const { url, maxConnections: maxConnectionCount } = config.database;
  const { dataDir } = config.server;
  await using database = await Database.open({ dataDir, url, maxConnectionCount, log });
  const { videos } = await Catalog.on(database, systemClock);
  await using opened = new AsyncDisposableStack();
  const { store } = await openObjectStore({ config, clock: systemClock, log });
  opened.defer(() => store.close());
  const { failedRetentionMs } = config.video;
  const removeVideo = (videoId: VideoId) => deleteVideo({ videos, store }, videoId);
  let [count, sizeBytes] = [0, 0];
  const options = { videos, store, clock: systemClock, failedRetentionMs, removeVideo };
  for await (const leftover of cleanUpStore(options, { isDryRun })) {
    count += 1;
    sizeBytes += leftover.sizeBytes;
    say(`${isDryRun ? "would delete" : "deleted"} ${wordsFor(leftover)}`);
  }
  if (count === 0) say("there is nothing to delete");
  else say(`${count} in all, ${sizeBytes.toLocaleString("en")} bytes`);
}

function wordsFor({ what, name, sizeBytes, reason }: Leftover): string {
  return `${what} ${name} (${sizeBytes.toLocaleString("en")} bytes): ${reason}`;
}
