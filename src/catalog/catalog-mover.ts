import { type Kysely, sql } from "kysely";
import { DomainError } from "../core/errors.ts";
import type { Database } from "../database/database.ts";
import { CATALOG_MIGRATIONS } from "./migrations.ts";
import type { CatalogSchema } from "./schema.ts";

/** A table, what tells its rows apart, and where it stands: behind the tables that it refers to. */
interface MovedTable {
  readonly name: keyof CatalogSchema;
  readonly key: readonly string[];
}

const TABLES: readonly MovedTable[] = [
  { name: "video", key: ["video_id"] },
  { name: "video_rendition", key: ["video_id", "rendition_id"] },
  { name: "video_chunk", key: ["video_id", "rendition_id", "epoch", "chunk_index"] },
  { name: "video_artifact", key: ["video_id", "name"] },
  { name: "stream", key: ["stream_id"] },
];
/** PostgreSQL takes 65,535 values in a statement. */
const PAGE_ROW_COUNT = 1000;

export interface MovedCount {
  readonly table: string;
  readonly rowCount: number;
}

/**
 * Copies a catalog into another, empty database in one transaction: all of it or nothing. Nobody writes to either
 * meanwhile. Throws INVALID_CONFIG when the other one is not empty, INTERNAL when not every row arrived.
 */
export async function copyCatalog(from: Database, to: Database): Promise<readonly MovedCount[]> {
  for (const database of [from, to]) await database.migrate(CATALOG_MIGRATIONS);
  return from.exclusively((source) =>
    to.exclusively(async (target) => {
      await refuseRows(target);
      const counts: MovedCount[] = [];
      for (const table of TABLES) counts.push({ table: table.name, rowCount: await copyTable(source, target, table) });
      return counts;
    }),
  );
}

async function refuseRows(target: Kysely<unknown>): Promise<void> {
  for (const { name } of TABLES) {
    const count = await countRows(target, name);
    if (count === 0) continue;
    throw new DomainError("INVALID_CONFIG", `the target is not empty: its table ${name} has ${count} rows`);
  }
}

async function copyTable(source: Kysely<unknown>, target: Kysely<unknown>, { name, key }: MovedTable): Promise<number> {
  for await (const rows of pagesOf(source, name, key)) {
    await target.$extendTables<Record<string, Row>>().insertInto(name).values(rows).execute();
  }
  const [expected, arrived] = [await countRows(source, name), await countRows(target, name)];
  if (expected === arrived) return arrived;
  throw new DomainError("INTERNAL", `${arrived} of ${expected} rows of the table ${name} arrived`);
}

type Row = Readonly<Record<string, unknown>>;

async function* pagesOf(source: Kysely<unknown>, name: string, key: readonly string[]): AsyncGenerator<readonly Row[]> {
  const columns = sql.join(key.map((column) => sql.ref(column)));
  for (let last: Row | undefined; ; ) {
    const lastKey = last && sql.join(key.map((column) => last?.[column]));
    const behind = lastKey ? sql`where (${columns}) > (${lastKey})` : sql``;
    const page = sql<Row>`select * from ${sql.table(name)} ${behind} order by ${columns} limit ${sql.lit(PAGE_ROW_COUNT)}`;
    const { rows } = await page.execute(source);
    if (rows.length > 0) yield rows;
    last = rows.at(-1);
    if (rows.length < PAGE_ROW_COUNT) return;
  }
}

async function countRows(db: Kysely<unknown>, name: string): Promise<number> {
  const { rows } = await sql<{ count: number }>`select count(*) as count from ${sql.table(name)}`.execute(db);
  return rows[0]?.count ?? 0;
}
