import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { PostgresServer } from "./postgres-server.ts";

/** An empty database, in the words of `Database.open`. */
export interface DatabasePlace {
  readonly dataDir: string;
  readonly url: string | undefined;
}

type DatabaseTest = (t: TestContext, place: DatabasePlace) => Promise<void>;

export async function temporaryDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "headwater-database-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** The PostgreSQL server of one file of tests. */
export function servedPostgres(): () => PostgresServer {
  let server: PostgresServer | undefined;
  before(async () => {
    server = await PostgresServer.start();
  });
  after(() => server?.[Symbol.asyncDispose]());
  return () => {
    if (!server) throw new Error("PostgreSQL runs only while tests do");
    return server;
  };
}

/** Gives what registers a test twice: over SQLite and over PostgreSQL. */
export function testOnEach(postgres: () => PostgresServer): (title: string, run: DatabaseTest) => void {
  return (title, run) => {
    test(`SQLite: ${title}`, async (t) => run(t, { dataDir: await temporaryDirectory(t), url: undefined }));
    test(`PostgreSQL: ${title}`, async (t) =>
      run(t, { dataDir: await temporaryDirectory(t), url: await postgres().createDatabase() }));
  };
}
