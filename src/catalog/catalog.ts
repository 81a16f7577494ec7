import { type Clock, systemClock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import { Database } from "../database/database.ts";
import { CATALOG_MIGRATIONS } from "./migrations.ts";
import type { CatalogSchema } from "./schema.ts";
import { StreamRepository } from "./stream-repository.ts";
import { VideoRepository } from "./video-repository.ts";

export interface CatalogOptions {
  /** Made when it is missing. */
  readonly dataDir: string;
  /** Of a PostgreSQL database, in place of the file in `dataDir`. */
  readonly databaseUrl?: string | undefined;
  readonly log: Logger;
  readonly clock?: Clock;
}

/** The persistent records of one Headwater. */
export class Catalog {
  readonly streams: StreamRepository;
  readonly videos: VideoRepository;
  readonly #database: Database;

  /** Opens a database of its own, which closes with it. Throws as `Database.open` and `Catalog.on` do. */
  static async open({ dataDir, databaseUrl: url, log, clock }: CatalogOptions): Promise<Catalog> {
    const database = await Database.open({ dataDir, url, log });
    try {
      return await Catalog.on(database, clock);
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  /** Brings the catalog's tables up to date. Throws UNAVAILABLE when they are of a newer Headwater. */
  static async on(database: Database, clock: Clock = systemClock): Promise<Catalog> {
    await database.migrate(CATALOG_MIGRATIONS);
    return new Catalog(database, clock);
  }

  private constructor(database: Database, clock: Clock) {
    this.#database = database;
    const tables = database.tables<CatalogSchema>();
    this.streams = new StreamRepository({ ...tables, clock });
    this.videos = new VideoRepository({ ...tables, database, clock });
  }

  /** Resolves when it can be read and written; throws why not. */
  async check(): Promise<void> {
    await this.streams.list({ limit: 1 });
    await this.#database.check();
  }

  /** Commits what was handed in and closes the database. */
  close(): Promise<void> {
    return this.#database.close();
  }
}
