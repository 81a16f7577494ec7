import { parentPort, workerData } from "node:worker_threads";
import { GroupCommit } from "./group-commit.ts";
import { openForWriting } from "./sqlite.ts";
import type { Unit } from "./statement.ts";

/** What the thread is told: units to commit together, or to close the file and end. */
export type WriterMessage = { readonly units: readonly Unit[] } | { readonly close: true };

const { path }: { path: string } = workerData;
const database = openForWriting(path);
const group = new GroupCommit(database);

parentPort?.on("message", (message: WriterMessage) => {
  if ("units" in message) {
    parentPort?.postMessage(group.commit(message.units));
  } else {
    database.close();
    parentPort?.close();
  }
});
