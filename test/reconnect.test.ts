import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import type { MediaPlaylist } from "./support/conformance/media-playlist.ts";
import { type Headwater, soon, startHeadwater, type TestStream } from "./support/headwater.ts";
import { type PlayerHandle, Players } from "./support/players/players.ts";
import { publishWithFfmpeg } from "./support/publishers.ts";
import { readPresentation, rendition, untilPlaylist } from "./support/readers.ts";

const CUTS = 10;
/** Of the shortest window, in segments. */
const WINDOW = 3;

let server: Headwater;
let players: Players;
before(async () => {
  [server, players] = await Promise.all([startHeadwater(), Players.open()]);
});
after(async () => {
  await players?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

/** The encoder is killed when it has filled a segment, stays away for one, and comes back, again and again. */
async function publishWithCuts(stream: TestStream, whileCut: () => Promise<void>): Promise<void> {
  for (let cut = 1; cut <= CUTS; cut++) {
    await using encoder = publishWithFfmpeg(stream.publishUrl);
    await untilPlaylist(stream.hlsUrl, "source", (playlist) => hasPlayed(playlist, cut), soon());
    await encoder.stop("SIGKILL");
    await untilPlaylist(stream.hlsUrl, "source", ({ complete }) => complete.at(-1)?.isGap === true, soon());
    await whileCut();
  }
}

/** A whole segment stands behind discontinuity number `count`. */
function hasPlayed({ complete }: MediaPlaylist, count: number): boolean {
  const starts = complete.filter(({ hasDiscontinuity }) => hasDiscontinuity);
  return starts.length === count && complete.at(-1)?.isGap === false;
}

interface WatchState {
  readonly state: string;
  readonly fatalCount: number;
  readonly decodedFrames: number;
}

function watchState(page: Page): Promise<WatchState> {
  return page.evaluate(() => {
    const { headwater } = globalThis as unknown as {
      headwater: { state: string; stats(): { fatalCount: number; decodedFrames: number } };
    };
    const { fatalCount, decodedFrames } = headwater.stats();
    return { state: headwater.state, fatalCount, decodedFrames };
  });
}

test("players go on, without a fatal error, through ten cuts of the encoder", { timeout: 600_000 }, async () => {
  const stream = await server.createStream({ transcode: false, reconnect_window_ms: 30_000, window_segments: 100 });
  {
    await using opening = publishWithFfmpeg(stream.publishUrl);
    await untilLive(stream);
    await opening.stop("SIGKILL");
  }
  const bare = await players.playHls(stream.hlsUrl);
  const watch = await players.browser.openPage(stream.watchUrl, { width: 640, height: 400 });
  await watch.page.waitForFunction(() => "headwater" in globalThis);

  await publishWithCuts(stream, async () => {
    assert.deepEqual(bare.report.fatal, [], JSON.stringify(bare.report));
    assert.equal((await watchState(watch.page)).fatalCount, 0);
  });

  await using encoder = publishWithFfmpeg(stream.publishUrl);
  const seenBefore = bare.report.decodedFrames;
  const watchedBefore = (await watchState(watch.page)).decodedFrames;
  const after = await bare.until(({ decodedFrames }) => decodedFrames > seenBefore + 75, soon(180));
  assert.deepEqual(after.fatal, [], JSON.stringify(after));
  await watch.page.waitForFunction(
    (frames) => {
      const { headwater } = globalThis as unknown as { headwater: { stats(): { decodedFrames: number } } };
      return headwater.stats().decodedFrames > frames + 75;
    },
    watchedBefore,
    { timeout: 120_000 },
  );
  assert.deepEqual(watch.errors, []);
  assert.equal((await watchState(watch.page)).fatalCount, 0);

  const source = rendition(await readPresentation(stream.hlsUrl), "source");
  const numbers = source.segments.map(({ msn }) => msn);
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => index + 1),
    "one presentation, numbered without a hole",
  );
  assert.equal(source.segments.filter(({ hasDiscontinuity }) => hasDiscontinuity).length, CUTS + 1);
  await encoder.stop();
});

test("players go on when the encoder returns without audio, and when it brings it again", {
  timeout: 600_000,
}, async () => {
  const stream = await server.createStream({
    transcode: false,
    reconnect_window_ms: 30_000,
    window_segments: WINDOW,
  });
  await using both = publishWithFfmpeg(stream.publishUrl);
  await untilLive(stream);
  const handles = await Promise.all([
    players.playHls(stream.hlsUrl),
    players.playDash(stream.dashUrl),
    players.playShaka(stream.hlsUrl),
  ]);
  for (const handle of handles) await handle.until(({ decodedFrames }) => decodedFrames > 50, soon(180));
  await both.stop("SIGKILL");
  for (const audio of [false, "tone"] as const) {
    await using encoder = publishWithFfmpeg(stream.publishUrl, { audio });
    await untilAllPlayOn(handles);
    const isUnbroken = ({ complete }: MediaPlaylist) => complete.every(({ isGap }) => !isGap);
    await untilPlaylist(stream.hlsUrl, "audio_source", isUnbroken, soon());
    await encoder.stop("SIGKILL");
  }
  // Away for longer than the window.
  // Shaka does not always come back from gaps at the end of an HLS playlist (its error 1.1011).
  const [hls, dash, shaka] = handles;
  await shaka.close();
  await untilPlaylist(stream.hlsUrl, "source", isLongAway, soon());
  await using _encoder = publishWithFfmpeg(stream.publishUrl);
  await untilAllPlayOn([hls, dash]);
});

/** Each shows more than the window holds (150 pictures): nothing is left of what was there before. */
async function untilAllPlayOn(handles: readonly PlayerHandle[]): Promise<void> {
  const goals = handles.map((handle) => handle.report.decodedFrames + 175);
  for (const [index, handle] of handles.entries()) {
    const { fatal } = await handle.until(({ decodedFrames }) => decodedFrames > (goals[index] ?? 0), soon(180));
    assert.deepEqual(fatal.filter(isNotOfGap), [], JSON.stringify(handle.report));
  }
}

/** SEGMENT_MISSING: Shaka says so of a gap that nothing follows yet. */
function isNotOfGap(error: string): boolean {
  return !error.startsWith("1.1011 ");
}

function isLongAway({ complete }: MediaPlaylist): boolean {
  return complete.slice(-WINDOW - 1).every(({ isGap }) => isGap);
}

async function untilLive(stream: TestStream): Promise<void> {
  await stream.until("live", soon());
  await untilPlaylist(stream.hlsUrl, "source", ({ complete }) => complete.length >= 2, soon());
}
