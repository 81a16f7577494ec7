import { parentPort, workerData } from "node:worker_threads";
import { GroupCommit, type Statement } from "./group-commit.ts";
import { openForWriting } from "./sqlite.ts";

/** What the thread is told: statements to commit together, or to close the file and end. */
export type WriterMessage = { readonly statements: readonly Statement[] } | { readonly close: true };

const { path }: { path: string } = workerData;
const database = openForWriting(path);
const group = new GroupCommit(database);

parentPort?.on("message", (message: WriterMessage) => {
  if ("statements" in message) {
    parentPort?.postMessage(group.commit(message.statements));
  } else {
    database.close();
    parentPort?.close();
  }
});
