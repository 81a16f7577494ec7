import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Page } from "playwright-core";
import { TestBrowser } from "./support/browser.ts";
import { type Film, SHORT, uploadFilm } from "./support/films.ts";
import { type Headwater, soon, startHeadwater } from "./support/headwater.ts";
import { sourceDirectory, writeSource } from "./support/source-files.ts";
import { TcpProxy } from "./support/tcp-proxy.ts";

const PATIENCE_MS = 180_000;
/** More than a player has ready before it is wanted. */
const FILM_S = 62;
/** In the middle, and what players do not have ready who are there. */
const [MIDDLE_S, LATE_S] = [25.5, 52.5];

/** What is encoded takes so long that it can be stopped in the middle. */
const SLOW = { ...SHORT, "video-preset": "medium" };

const directory = await sourceDirectory();
let server: Headwater;
let browser: TestBrowser;
let film: Film;

before(async () => {
  server = await startHeadwater({ settings: SLOW });
  browser = await TestBrowser.launch();
  const path = await writeSource(
    ...["-f", "lavfi", "-i", `testsrc2=size=160x90:rate=5:duration=${FILM_S},format=yuv420p`],
    ...["-f", "lavfi", "-i", `sine=frequency=440:duration=${FILM_S}`, "-c:v", "libx264", "-preset", "ultrafast"],
    ...["-g", "5", "-c:a", "aac", "-b:a", "32k", join(directory, "long.mp4")],
  );
  film = await uploadFilm(server, path);
  await film.until(["ready"], soon());
});

after(async () => {
  await browser?.close();
  await server?.[Symbol.asyncDispose]();
});

/** What the watch page exposes, as far as these tests read it. */
interface WatchHandle {
  readonly state: string;
  stats(): { readonly currentTime: number; readonly format?: string; readonly fatalCount: number };
}

interface Wanted {
  readonly state?: string;
  readonly format?: string;
  /** The picture is not earlier, and not much later. */
  readonly nearS?: number;
  readonly fatalCount?: number;
}

/** Resolves when the watch page's own handle says so. */
async function untilWatch(page: Page, wanted: Wanted): Promise<void> {
  await page.waitForFunction(
    ({ state, format, nearS, fatalCount }) => {
      const { headwater } = globalThis as { headwater?: WatchHandle };
      const stats = headwater?.stats();
      if (!stats) return false;
      if (state !== undefined && headwater?.state !== state) return false;
      if (format !== undefined && stats.format !== format) return false;
      if (fatalCount !== undefined && stats.fatalCount < fatalCount) return false;
      return nearS === undefined || (stats.currentTime >= nearS && stats.currentTime < nearS + 12);
    },
    wanted,
    { timeout: PATIENCE_MS },
  );
}

/** A media element, as far as these tests move it. */
interface MediaElement {
  currentTime: number;
  readonly paused: boolean;
  readonly readyState: number;
  pause(): void;
  play(): Promise<void>;
}

function seek(page: Page, toS: number): Promise<void> {
  return page.locator("video").evaluate((video: MediaElement, seconds) => {
    video.currentTime = seconds;
  }, toS);
}

async function switchFormat(page: Page, format: "HLS" | "DASH"): Promise<void> {
  await page.locator("media-controller").hover();
  await page.getByRole("button", { name: "Quality and format" }).click();
  await page.getByRole("radio", { name: format }).check();
  await page.keyboard.press("Escape");
}

/** Whether it stands still though it could play, and whoever would have it play has heard of that. */
async function isPausedWhenReady(video: MediaElement): Promise<boolean> {
  const { requestAnimationFrame: onFrame } = globalThis as unknown as { requestAnimationFrame(then: () => void): void };
  const frame = () => new Promise<void>((resolve) => onFrame(resolve));
  while (video.readyState < 4) await frame();
  await frame();
  await frame();
  return video.paused;
}

describe("the watch page", { concurrency: 4 }, () => {
  test("a film goes on where it was when its format is switched, and stays paused", async () => {
    const { page } = await browser.openPage(`${server.httpUrl}/watch/${film.videoId}`);
    await untilWatch(page, { format: "hls", nearS: 0.2 });
    await seek(page, MIDDLE_S);
    await untilWatch(page, { nearS: MIDDLE_S + 0.2 });
    await switchFormat(page, "DASH");
    await untilWatch(page, { format: "dash", nearS: MIDDLE_S + 0.5 });

    const player = page.locator("video");
    await player.evaluate((video: MediaElement) => video.pause());
    const pausedS = await player.evaluate((video: MediaElement) => video.currentTime);
    await switchFormat(page, "HLS");
    await untilWatch(page, { format: "hls", nearS: pausedS - 0.1 });
    assert.ok(await player.evaluate(isPausedWhenReady));
    await page.getByRole("button", { name: "play", exact: true }).click();
    await untilWatch(page, { nearS: pausedS + 0.5 });
  });

  test("a film whose making is stopped in the studio can be watched as far as it goes", async () => {
    const path = await writeSource(
      ...["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=10:duration=120", "-c:v", "mpeg4", "-q:v", "12"],
      ...["-g", "100", join(directory, "stopped.avi")],
    );
    const stopped = await uploadFilm(server, path);
    await stopped.until(["playable"], soon());
    const { page: studio } = await browser.openPage(`${server.httpUrl}/#token=${server.adminToken}`);
    studio.setDefaultTimeout(PATIENCE_MS);
    await studio.getByRole("link", { name: "Videos" }).click();
    await studio.getByRole("link", { name: "stopped.avi", exact: true }).click();
    await studio.getByRole("button", { name: "Stop", exact: true }).click();
    const question = studio.getByRole("dialog");
    await question.getByText("What is there of it can still be watched").waitFor();
    await question.getByRole("button", { name: "Stop", exact: true }).click();
    await studio.getByText("What is there of it can be watched").waitFor();
    assert.equal((await stopped.now()).status, "errored");
    await studio.getByRole("button", { name: "Play", exact: true }).waitFor();
    const href = await studio.getByRole("link", { name: "Watch page" }).getAttribute("href");
    const { page } = await browser.openPage(`${server.httpUrl}${href}`);
    await untilWatch(page, { state: "stored", nearS: 0.2 });
    await studio.getByRole("button", { name: "Make what is missing" }).click();
    await studio.getByText("It can be watched; the rest is being made").waitFor();
    assert.notEqual((await stopped.now()).status, "errored");
  });

  for (const [format, fatalCount] of [
    ["hls", 0],
    // dash.js has given up meanwhile, and is attached anew.
    ["dash", 1],
  ] as const) {
    test(`a film in ${format} goes on where it was when its server is back, after words that are true`, async (t) => {
      const proxy = await TcpProxy.start(t, server.httpPort);
      const { page } = await browser.openPage(`${proxy.url}/watch/${film.videoId}?format=${format}`);
      await untilWatch(page, { format, nearS: 0.2 });
      await proxy.goDown();
      await seek(page, LATE_S);
      await untilWatch(page, { state: "unreachable", fatalCount });
      const notice = page.getByRole("status");
      assert.match((await notice.textContent()) ?? "", /No connection.*The server does not answer/);
      await proxy.comeBack();
      await untilWatch(page, { state: "stored", format, nearS: LATE_S + 0.5 });
    });
  }
});
