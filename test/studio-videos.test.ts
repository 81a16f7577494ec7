import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
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

async function openVideos(): Promise<{ page: Page; errors: readonly string[] }> {
  const opened = await browser.openPage(`${server.httpUrl}/#token=${server.adminToken}`);
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

  const saved = page.waitForEvent("download");
  const row = page.getByRole("row", { name: /240p/ });
  await row.getByRole("button", { name: "Make a file" }).click();
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
  await page.reload();
  await page.getByText("Not finished:").waitFor();
  await slow.detach();
  await page.getByLabel("Files to upload").setInputFiles(path);
  await page.getByRole("link", { name: "long" }).waitFor();
  assert.equal(creations.length, 1);
  assert.ok((offsets.at(-1) ?? 0) > 0, `went on at ${offsets}`);
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
  await page.getByRole("button", { name: "Stop uploading notes.mp4" }).click();
  await refused.waitFor({ state: "detached" });
});

test("a film that the server may not fetch is refused in a sentence", async () => {
  const { page } = await openVideos();
  await page.getByRole("button", { name: "From a URL" }).click();
  await page.getByLabel("Address of the file").fill(`${server.httpUrl}/film.mp4`);
  await page.getByRole("button", { name: "Import", exact: true }).click();
  await page.getByRole("dialog").locator(".problem").getByText(/\.$/).waitFor();
});

/** Chromium writes every answer of 4xx to the console: no session yet, no stream of this id. */
function isUnexpected(error: string): boolean {
  return !/status of 40[14]/.test(error);
}
