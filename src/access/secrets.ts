import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DomainError } from "../core/errors.ts";

/** What Headwater keeps to itself. Never logged, never sent but to who proves to know it. */
export interface Secrets {
  /** Opens everything, as `Authorization: Bearer`. */
  readonly adminToken: string;
  /** 32 bytes under which session cookies are signed. */
  readonly cookieSecret: Uint8Array;
}

export interface SecretsOptions {
  readonly dataDir: string;
  /** From the configuration: wins over the stored one, and is not stored. */
  readonly adminToken?: string | undefined;
}

interface StoredSecrets {
  admin_token?: string;
  cookie_secret?: string;
}

/**
 * The secrets of this data directory: read from `secrets.json`, and what is missing there made by chance and added
 * (mode 0600, replaced as a whole). Throws DomainError: INVALID_CONFIG when the file is not ours to understand,
 * DATA_DIR_UNWRITABLE when it cannot be read or written.
 */
export async function loadSecrets(options: SecretsOptions): Promise<Secrets> {
  const path = join(options.dataDir, "secrets.json");
  const stored = await readStored(path);
  const adminToken = options.adminToken ?? stored.admin_token ?? newAdminToken();
  const cookieSecret = stored.cookie_secret ?? randomBytes(32).toString("base64url");
  const complete: StoredSecrets = {
    ...stored,
    cookie_secret: cookieSecret,
    ...(options.adminToken === undefined && { admin_token: adminToken }),
  };
  if (complete.cookie_secret !== stored.cookie_secret || complete.admin_token !== stored.admin_token) {
    await writeWhole(path, `${JSON.stringify(complete, null, 2)}\n`);
  }
  return { adminToken, cookieSecret: Buffer.from(cookieSecret, "base64url") };
}

function newAdminToken(): string {
  return `hw_${randomBytes(32).toString("base64url")}`;
}

async function readStored(path: string): Promise<StoredSecrets> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    throw new DomainError("DATA_DIR_UNWRITABLE", `cannot read ${path}`, { cause: error });
  }
  return parseStored(path, text);
}

function parseStored(path: string, text: string): StoredSecrets {
  const problem = new DomainError("INVALID_CONFIG", `${path} is not a file of secrets; move it away to make new ones`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's message quotes the file: it stays unsaid.
    throw problem;
  }
  if (typeof value !== "object" || value === null) throw problem;
  const { admin_token, cookie_secret } = value as Record<string, unknown>;
  if (admin_token !== undefined && !(typeof admin_token === "string" && admin_token.length >= 16)) throw problem;
  if (cookie_secret !== undefined && !isCookieSecret(cookie_secret)) throw problem;
  return { ...(admin_token !== undefined && { admin_token }), ...(cookie_secret !== undefined && { cookie_secret }) };
}

function isCookieSecret(value: unknown): value is string {
  return typeof value === "string" && Buffer.from(value, "base64url").length >= 32;
}

/** Writes beside the file, to disk, then takes its place: a power cut leaves the old file or the new one. */
async function writeWhole(path: string, text: string): Promise<void> {
  const draft = `${path}.${process.pid}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeDurably(draft, text);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw new DomainError("DATA_DIR_UNWRITABLE", `cannot write ${path}`, { cause: error });
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  // "wx": never through a link that someone else put there.
  await rm(path, { force: true });
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}
