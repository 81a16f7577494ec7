import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";
import { TestBrowser } from "./support/browser.ts";
import { type Headwater, startHeadwater } from "./support/headwater.ts";

/** What the watch page exposes, as far as these tests read it. */
interface WatchHandle {
  readonly state: string;
  stats(): {
    format?: string;
    latencyS?: number;
    decodedFrames: number;
    bufferedS: number;
    rendition?: string;
    fatalCount: number;
  };
}

const STUDIO_BYTES_MAX = 60_000;
/** Every picture is scaled without a graphics card. */
const SMALL = { width: 640, height: 480 };
const PATIENCE_MS = 180_000;

let server: Headwater;
let browser: TestBrowser;

before(async () => {
  server = await startHeadwater();
  browser = await TestBrowser.launch();
});

after(async () => {
  await browser?.close();
  await server?.[Symbol.asyncDispose]();
});

/** Resolves when the watch page's own handle says so. */
async function untilWatch(
  page: Page,
  wanted: { state?: string; format?: string; rendition?: string; decodedFrames?: number },
): Promise<void> {
  await page.waitForFunction(
    ({ state, format, rendition, decodedFrames }) => {
      const handle = (globalThis as { headwater?: WatchHandle }).headwater;
      const stats = handle?.stats();
      if (!handle || !stats) return false;
      if (state !== undefined && handle.state !== state) return false;
      if (format !== undefined && stats.format !== format) return false;
      if (rendition !== undefined && stats.rendition !== rendition) return false;
      return decodedFrames === undefined || stats.decodedFrames >= decodedFrames;
    },
    wanted,
    { timeout: PATIENCE_MS },
  );
}

test("a newcomer opens the studio link, starts the test picture, watches it in both formats and deletes it", async () => {
  const { page, errors } = await browser.openPage(server.studioLink);
  page.setDefaultTimeout(PATIENCE_MS);
  await page.getByRole("heading", { name: "Nothing flows yet" }).waitFor();
  assert.equal(page.url(), `${server.httpUrl}/#/`, "the token has left the address");

  await page.getByRole("button", { name: "Start a test picture" }).click();
  await page.locator(".card .badge.live").waitFor();
  await page.locator(".card .thumbnail img").waitFor();

  const watchHref = await page.getByRole("link", { name: "Watch" }).getAttribute("href");
  const { page: watch, errors: watchErrors } = await browser.openPage(`${server.httpUrl}${watchHref}`, SMALL);
  await untilWatch(watch, { state: "live", format: "hls", decodedFrames: 60 });
  await watch.locator("media-controller").hover();
  await watch.getByRole("button", { name: "Quality and format" }).click();
  const low = watch.getByRole("group", { name: "Quality" }).getByRole("radio", { name: "480p" });
  await low.check();
  await untilWatch(watch, { rendition: "480p" });
  await watch.getByRole("radio", { name: "DASH" }).check();
  await untilWatch(watch, { state: "live", format: "dash", rendition: "480p", decodedFrames: 60 });
  assert.ok(await low.isChecked(), "the quality stays as it was chosen");
  assert.match(watch.url(), /\?format=dash$/);
  const stats = await watch.evaluate(() => (globalThis as unknown as { headwater: WatchHandle }).headwater.stats());
  assert.equal(stats.fatalCount, 0);
  assert.ok((stats.latencyS ?? Number.NaN) < 15, `latency ${stats.latencyS} s`);

  await page.getByRole("button", { name: "Delete Test picture" }).click();
  await page.getByRole("button", { name: "Delete stream" }).click();
  await page.getByRole("heading", { name: "Nothing flows yet" }).waitFor();
  await untilWatch(watch, { state: "missing" });
  assert.deepEqual(errors.filter(isUnexpected), []);
  assert.deepEqual(watchErrors.filter(isUnexpected), []);
});

/** Chromium writes every answer of 4xx to the console: no session yet, no still yet, no stream any more. */
function isUnexpected(error: string): boolean {
  return !/status of 40[14]/.test(error);
}

test("a new stream shows its key once, and the watch page waits for it", async () => {
  const { page } = await browser.openPage(`${server.httpUrl}/#token=${server.adminToken}`);
  page.setDefaultTimeout(PATIENCE_MS);
  await page.getByRole("button", { name: "New stream" }).click();
  await page.getByLabel("Name").fill("Roof camera");
  await page.getByRole("button", { name: "Create stream" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Copy the key now.").waitFor();
  const codes = await dialog.locator("code").allTextContents();
  assert.equal(codes[0], server.rtmpUrl);
  assert.match(codes[1] ?? "", /^sk_[\w-]{20,}$/);
  await dialog.getByRole("button", { name: "I have copied it" }).click();
  await page.getByRole("heading", { name: "Roof camera" }).waitFor();
  assert.ok(!(await page.content()).includes(codes[1] ?? ""), "the key is gone from the page");

  const href = await page.getByRole("link", { name: "Watch page" }).getAttribute("href");
  const { page: watch } = await browser.openPage(`${server.httpUrl}${href}`);
  await watch.getByText("Not live yet").waitFor();
});

test("without a session the studio tells where the link is, and a wrong token why it is wrong", async () => {
  const { page } = await browser.openPage(`${server.httpUrl}/`, { width: 360, height: 740 });
  await page.getByRole("heading", { name: "Open the studio" }).waitFor();
  await page.getByLabel("Or paste the link, or the admin token").fill("wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator(".problem").waitFor();
  await page.getByLabel("Or paste the link, or the admin token").fill(server.adminToken);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Streams" }).waitFor();
});

test("no page is wider than a small phone", async () => {
  for (const path of ["/", "/watch/none", "/watch/none?embed=1"]) {
    const { page } = await browser.openPage(`${server.httpUrl}${path}`, { width: 360, height: 740 });
    await page.locator("main").waitFor();
    await assertNarrow(page, path);
  }
  const { page } = await browser.openPage(`${server.httpUrl}/#token=${server.adminToken}`, { width: 360, height: 740 });
  for (const name of ["Videos", "Streams"]) {
    await page.getByRole("link", { name, exact: true }).click();
    await page.getByRole("heading", { name, exact: true }).waitFor();
    await assertNarrow(page, name);
  }
});

async function assertNarrow(page: Page, what: string): Promise<void> {
  const width = await page.evaluate(() => {
    const { document } = globalThis as unknown as { document: { documentElement: { scrollWidth: number } } };
    return document.documentElement.scrollWidth;
  });
  assert.ok(width <= 360, `${what} is ${width} px wide`);
}

test("the studio is small", async () => {
  const html = await (await fetch(`${server.httpUrl}/`)).text();
  const assets = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+\.(?:js|css))"/g)].map(([, path]) => path ?? "");
  assert.ok(assets.length >= 2, html);
  const bodies = await Promise.all(assets.map(async (path) => (await fetch(`${server.httpUrl}${path}`)).arrayBuffer()));
  const bytes = bodies.reduce((sum, body) => sum + gzipSync(new Uint8Array(body)).byteLength, 0);
  assert.ok(bytes < STUDIO_BYTES_MAX, `${bytes} bytes gzipped`);
});
