import { constants } from "node:fs";
import { access, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { DomainError } from "../core/errors.ts";

/** A lock of the operating system on this file, by way of SQLite: it dies with its process, however that ends. */
const LOCK_FILE = "server.lock";
/** Primary result code of SQLite for a lock that another holds. */
const SQLITE_BUSY = 5;

/**
 * Makes the directory when it is missing, and takes it for this server alone: two that clean up after each other would
 * destroy what is on air. Workers of the server do not ask. Returns the function that lets go of it. Throws DomainError
 * DATA_DIR_UNWRITABLE, and DATA_DIR_IN_USE while another server runs there.
 */
export async function claimDataDir(dataDir: string): Promise<() => void> {
  await makeDataDir(dataDir);
  try {
    return lock(join(dataDir, LOCK_FILE));
  } catch (cause) {
    if (isBusy(cause)) {
      throw new DomainError("DATA_DIR_IN_USE", `Another Headwater runs with the data directory ${dataDir}`, { cause });
    }
    throw unwritable(dataDir, cause);
  }
}

/** Makes the directory when it is missing, for whoever shares it. Throws DomainError DATA_DIR_UNWRITABLE. */
export async function makeDataDir(dataDir: string): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true });
    await access(dataDir, constants.W_OK);
  } catch (cause) {
    throw unwritable(dataDir, cause);
  }
}

function unwritable(dataDir: string, cause: unknown): DomainError {
  return new DomainError("DATA_DIR_UNWRITABLE", `The data directory ${dataDir} cannot be written`, { cause });
}

function lock(path: string): () => void {
  const file = new DatabaseSync(path, { timeout: 0 });
  try {
    file.exec("begin exclusive");
  } catch (error) {
    file.close();
    throw error;
  }
  return () => file.close();
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY;
}
