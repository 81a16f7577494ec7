import assert from "node:assert/strict";
import { once } from "node:events";
import { rename } from "node:fs/promises";
import { createServer, request as requestHttp } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import type { Page } from "playwright-core";
import { TestBrowser } from "./support/browser.ts";
import { type Headwater, startHeadwater } from "./support/headwater.ts";
import { sourceDirectory, writeSource } from "./support/source-files.ts";

const PATIENCE_MS = 180_000;
/** So slow that a page can be left in the middle. */
const SLOW_UPLOAD_BYTES_PER_SECOND = 200_000;

const directory = await sourceDirectory();
let server: Headwater;
let browser: TestBrowser;

before(async () => {
  [server, browser] = await Promise.all([
    startHeadwater({ settings: { "video-profiles": "240p" } }),
    TestBrowser.launch(),
  ]);
});

after(async () => {
  await browser?.close();
  await server?.[Symbol.asyncDispose]();
});

/** A film with sound that browsers play as it is. */
function film(name: string, seconds: number, videoBps: number): Promise<string> {
  return writeSource(
    ...["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30,noise=alls=20:allf=t,format=yuv420p"],
    ...["-f", "lavfi", "-i", "sine=frequency=440", "-t", `${seconds}`, "-c:v", "libx264", "-preset", "ultrafast"],
    ...["-g", "60", "-b:v", `${videoBps}`, "-c:a", "aac", join(directory, name)],
  );
}

async function openVideos(httpUrl = server.httpUrl): Promise<{ page: Page; errors: readonly string[] }> {
  const opened = await browser.openPage(`${httpUrl}/#token=${server.adminToken}`);
  opened.page.setDefaultTimeout(PATIENCE_MS);
  await opened.page.getByRole("link", { name: "Videos" }).click();
  await opened.page.getByRole("heading", { name: "Videos", exact: true }).waitFor();
  return opened;
}

/** A media element, as far as these tests move it. */
interface MediaElement {
  currentTime: number;
  readonly duration: number;
  play(): Promise<void>;
}

/** Resolves when the player of this page shows what is later than `seconds`. */
async function untilPlayed(page: Page, seconds: number): Promise<void> {
  await page.waitForFunction(
    (least) => {
      const { headwater } = globalThis as { headwater?: { stats(): { currentTime: number } } };
      return (headwater?.stats().currentTime ?? 0) > least;
    },
    seconds,
    { timeout: PATIENCE_MS },
  );
}

test("a film is uploaded, watched, renamed and deleted", async () => {
  const path = await film("my_holiday.mp4", 8, 500_000);
  const { page, errors } = await openVideos();
  await page.getByRole("heading", { name: "No videos yet" }).waitFor();
  await page.getByLabel("Files to upload").setInputFiles(path);
  await page.getByRole("link", { name: "my holiday" }).click();
  await page.getByText("Ready", { exact: true }).first().waitFor();
  await page.getByRole("row", { name: /240p/ }).getByText("Ready").waitFor();

  const href = await page.getByRole("link", { name: "Watch page" }).getAttribute("href");
  const { page: watch, errors: watchErrors } = await browser.openPage(`${server.httpUrl}${href}`);
  const player = watch.locator("video");
  await player.evaluate((video: MediaElement) => video.play());
  await untilPlayed(watch, 1);
  await player.evaluate((video: MediaElement) => {
    video.currentTime = 6;
  });
  await untilPlayed(watch, 6.2);
  assert.equal(await player.evaluate((video: MediaElement) => Math.round(video.duration)), 8);

  const row = page.getByRole("row", { name: /240p/ });
  const make = row.getByRole("button", { name: "Make a file" });
  const videoId = new URL(href ?? "", server.httpUrl).pathname.split("/").at(-1) ?? "";
  const [sound, away] = [
    join(server.dataDir, "objects", "videos", videoId, "audio_source"),
    join(server.dataDir, "sound"),
  ];
  await rename(sound, away);
  await make.click();
  await row.getByText("A segment is not in the store.").waitFor();
  await rename(away, sound);
  await page.context().setOffline(true);
  await make.click();
  await row.getByText("The server does not answer.").waitFor();
  await page.context().setOffline(false);
  const saved = page.waitForEvent("download");
  await make.click();
  await row.getByRole("link", { name: "Download" }).click();
  assert.match((await saved).suggestedFilename(), /^my.holiday.*\.mp4$/);

  await page.getByRole("button", { name: "Edit" }).click();
  await page.getByLabel("Title").fill("By the sea");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name: "By the sea" }).waitFor();

  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("button", { name: "Delete video" }).click();
  await page.getByRole("heading", { name: "No videos yet" }).waitFor();
  assert.deepEqual([...errors, ...watchErrors].filter(isUnexpected), []);
});

test("an upload that was cut off by a reload goes on where it was", async () => {
  const path = await film("long.mp4", 10, 2_400_000);
  const { page } = await openVideos();
  const slow = await page.context().newCDPSession(page);
  await slow.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: SLOW_UPLOAD_BYTES_PER_SECOND,
  });
  const creations: string[] = [];
  const offsets: number[] = [];
  page.on("request", (request) => {
    if (!request.url().includes("/api/v1/uploads")) return;
    if (request.method() === "POST") creations.push(request.url());
    if (request.method() === "PATCH") offsets.push(Number(request.headers()["upload-offset"]));
  });
  await page.getByLabel("Files to upload").setInputFiles(path);
  await page.locator(".upload.sending").getByText(/\/s/).waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  const other = await page.context().newPage();
  await other.goto(`${server.httpUrl}/#/videos`);
  await other.getByLabel("Files to upload").setInputFiles(path);
  await other.getByText("Another page of this browser is sending it.").waitFor({ timeout: PATIENCE_MS });
  await other.close();
  await page.reload();
  await page.getByText("Not finished:").waitFor();
  await slow.detach();
  await page.getByLabel("Files to upload").setInputFiles(path);
  await page.getByRole("link", { name: "long" }).waitFor();
  assert.equal(creations.length, 1);
  assert.ok((offsets.at(-1) ?? 0) > 0, `went on at ${offsets}`);
});

/** Stands before the server, cuts the first piece of a file off with 502, and answers so when it is asked how far that is. */
async function startGateway(t: TestContext, afterBytes: number) {
  const uploads: string[] = [];
  const gateway = createServer((request, response) => {
    const { method = "", url = "", headers } = request;
    if (url.startsWith("/api/v1/uploads")) uploads.push(`${method} ${headers["upload-offset"] ?? ""}`.trim());
    const isFirst = (wanted: string) =>
      method === wanted && uploads.filter((each) => each.startsWith(wanted)).length === 1;
    const fail = () => response.writeHead(502).end();
    if (isFirst("HEAD")) return fail();
    const passed = requestHttp({ port: server.httpPort, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(response);
    });
    passed.on("error", fail);
    if (!isFirst("PATCH")) return request.pipe(passed);
    let passedBytes = 0;
    const pass = (chunk: Buffer) => {
      passed.write(chunk);
      passedBytes += chunk.byteLength;
      if (passedBytes < afterBytes) return;
      request.off("data", pass).resume();
      passed.socket?.end();
    };
    return request.on("data", pass);
  }).listen(0, "127.0.0.1");
  await once(gateway, "listening");
  t.after(() => {
    gateway.close();
    gateway.closeAllConnections();
  });
  return { uploads, httpUrl: `http://127.0.0.1:${(gateway.address() as AddressInfo).port}` };
}

test("a film with a long name, chosen twice, gets through a server that is away for a moment, once", async (t) => {
  const gateway = await startGateway(t, 200_000);
  const path = await film(`${"sea_".repeat(60)}.mp4`, 4, 1_600_000);
  const { page } = await openVideos(gateway.httpUrl);
  const input = page.getByLabel("Files to upload");
  await input.setInputFiles([path, path]);
  await page.getByRole("link", { name: "sea ".repeat(50).trim() }).waitFor();
  const [created, cut, unheard, asked, last, ...others] = gateway.uploads;
  assert.deepEqual([created, cut, unheard, asked, others], ["POST", "PATCH 0", "HEAD", "HEAD", []]);
  assert.ok(Number(last?.replace("PATCH ", "")) >= 200_000, `went on at ${last}`);
});

test("a file that is no film is refused in a sentence", async () => {
  const { page } = await openVideos();
  const text = {
    name: "notes.mp4",
    mimeType: "video/mp4",
    buffer: Buffer.from("these are no moving pictures\n".repeat(99)),
  };
  await page.getByLabel("Files to upload").setInputFiles(text);
  const refused = page.locator(".upload.failed");
  await refused.waitFor();
  assert.match((await refused.textContent()) ?? "", /The file is of no kind that is known/);
  assert.deepEqual(await keptKeys(page), []);
  await page.getByRole("button", { name: "Stop uploading notes.mp4" }).click();
  await refused.waitFor({ state: "detached" });
  assert.equal(await page.getByText("Not finished:").count(), 0);
});

/** What the browser keeps of uploads, to go on with them. */
function keptKeys(page: Page): Promise<string[]> {
  return page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith("tus::")));
}

test("no upload is promised to go on that was stopped, or that the server has forgotten", async () => {
  const { page } = await openVideos();
  // No piece gets to the server, nor that it was stopped.
  await page.route("**/api/v1/uploads/*", () => undefined);
  const buffer = Buffer.from("a poem");
  await page.getByLabel("Files to upload").setInputFiles({ name: "stopped.mp4", mimeType: "video/mp4", buffer });
  await page.waitForFunction(() => Object.keys(localStorage).some((key) => key.startsWith("tus::")));
  await page.getByRole("button", { name: "Stop uploading stopped.mp4" }).click();
  await page.locator(".upload").waitFor({ state: "detached" });
  assert.deepEqual(await keptKeys(page), []);
  await page.evaluate(() => {
    for (const hours of [1, 30, 200]) {
      const creationTime = new Date(Date.now() - hours * 3_600_000).toString();
      const kept = { size: 6, creationTime, metadata: { filename: `hours-${hours}.mp4` }, uploadUrl: "/gone" };
      localStorage.setItem(`tus::${hours}::1`, JSON.stringify(kept));
    }
  });
  await page.reload();
  const note = page.getByText("Not finished:");
  await note.waitFor();
  assert.match((await note.textContent()) ?? "", /Not finished: hours-1\.mp4\./);
  assert.deepEqual((await keptKeys(page)).sort(), ["tus::1::1", "tus::30::1"]);
});

test("a film that the server may not fetch is refused in a sentence", async () => {
  const { page } = await openVideos();
  await page.getByRole("button", { name: "From a URL" }).click();
  await page.getByLabel("Address of the file").fill(`${server.httpUrl}/film.mp4`);
  await page.getByRole("button", { name: "Import", exact: true }).click();
  await page.getByRole("dialog").locator(".problem").getByText(/\.$/).waitFor();
});

/** Chromium writes every answer of 4xx to the console (no session yet, no stream of this id), and what it could not ask. */
function isUnexpected(error: string): boolean {
  return !/status of 40[14]|ERR_INTERNET_DISCONNECTED/.test(error);
}
