import { copyCatalog } from "../catalog/catalog-mover.ts";
import { CATALOG_MIGRATIONS } from "../catalog/migrations.ts";
import { DomainError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { Database } from "../database/database.ts";
import { JOB_MIGRATIONS } from "../jobs/embedded/job-migrations.ts";
import type { CommandOptions } from "./command.ts";
import { claimDataDir } from "./data-dir.ts";
import type { Config } from "./settings.ts";

/** Brings all tables up to date, as every start does too. Any number of processes may do so at once. */
export async function migrate({ config, log, say }: CommandOptions): Promise<void> {
  await using database = await openDatabase(config, log);
  const place = database.kind === "postgres" ? "the PostgreSQL database" : config.server.dataDir;
  const steps = [...(await database.migrate(CATALOG_MIGRATIONS)), ...(await database.migrate(JOB_MIGRATIONS))];
  for (const step of steps) say(`migrated ${step}`);
  say(steps.length === 0 ? `${place} is up to date` : `${place} is up to date now`);
}

/**
 * Copies the embedded catalog into the empty PostgreSQL database of the setting `database.url`. Throws INVALID_CONFIG
 * without one, DATA_DIR_IN_USE while a server runs with the directory.
 */
export async function moveCatalog({ config, log, say }: CommandOptions): Promise<void> {
  if (config.database.url === undefined)
    throw new DomainError("INVALID_CONFIG", "say where to with --to postgres://user:password@host/database");
  const { dataDir } = config.server;
  using stack = new DisposableStack();
  stack.defer(await claimDataDir(dataDir));
  await using from = await Database.open({ dataDir, log });
  await using to = await openDatabase(config, log);
  for (const { table, rowCount } of await copyCatalog(from, to)) say(`${table}: ${rowCount} rows`);
  say(`moved: from now on start with HEADWATER_DATABASE_URL; what lies in ${dataDir} was left as it is`);
}

function openDatabase({ server, database }: Config, log: Logger): Promise<Database> {
  return Database.open({
    dataDir: server.dataDir,
    url: database.url,
    maxConnectionCount: database.maxConnections,
    log,
  });
}
