import assert from "node:assert/strict";
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { loadSecrets } from "./secrets.ts";

async function dataDir(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "headwater-secrets-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

test("makes secrets at the first start and finds the same ones at the second", async (t) => {
  const dir = await dataDir(t);
  const first = await loadSecrets({ dataDir: dir });
  assert.match(first.adminToken, /^hw_[\w-]{43}$/);
  assert.equal(first.cookieSecret.length, 32);
  assert.deepEqual(await loadSecrets({ dataDir: dir }), first);
  assert.notEqual((await loadSecrets({ dataDir: await dataDir(t) })).adminToken, first.adminToken);
});

test("keeps them readable by their owner alone, with no draft left behind", async (t) => {
  const dir = await dataDir(t);
  await loadSecrets({ dataDir: dir });
  assert.equal((await stat(join(dir, "secrets.json"))).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(dir), ["secrets.json"]);
});

test("makes the data directory when there is none", async (t) => {
  const dir = join(await dataDir(t), "new", "data");
  await loadSecrets({ dataDir: dir });
  assert.deepEqual(await readdir(dir), ["secrets.json"]);
});

test("prefers the configured admin token and never stores it", async (t) => {
  const dir = await dataDir(t);
  const configured = await loadSecrets({ dataDir: dir, adminToken: "chosen-by-the-operator" });
  assert.equal(configured.adminToken, "chosen-by-the-operator");
  assert.doesNotMatch(await readFile(join(dir, "secrets.json"), "utf8"), /chosen|admin_token/);
  const generated = await loadSecrets({ dataDir: dir });
  assert.match(generated.adminToken, /^hw_/);
  assert.deepEqual(generated.cookieSecret, configured.cookieSecret);
});

test("refuses a file that it does not understand, without quoting it", async (t) => {
  const dir = await dataDir(t);
  for (const text of ['{"admin_token": "abc', "[]x", '"abc"', '{"admin_token":"abc"}', '{"cookie_secret":"abc"}']) {
    await writeFile(join(dir, "secrets.json"), text);
    await assert.rejects(loadSecrets({ dataDir: dir }), (error: Error & { code?: string }) => {
      assert.equal(error.code, "INVALID_CONFIG");
      assert.doesNotMatch(error.message, /abc/);
      return true;
    });
  }
});

test("says in one line that the data directory cannot be written", async (t) => {
  const dir = await dataDir(t);
  const file = join(dir, "file");
  await writeFile(file, "");
  await assert.rejects(loadSecrets({ dataDir: join(file, "sub") }), { code: "DATA_DIR_UNWRITABLE" });
  if (process.getuid?.() === 0) return;
  await chmod(dir, 0o500);
  await assert.rejects(loadSecrets({ dataDir: dir }), { code: "DATA_DIR_UNWRITABLE" });
});
