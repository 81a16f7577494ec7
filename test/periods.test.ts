import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Headwater, soon, startHeadwater } from "./support/headwater.ts";
import { Players } from "./support/players/players.ts";
import { publishWithFfmpeg } from "./support/publishers.ts";
import { untilPlaylist } from "./support/readers.ts";

let server: Headwater;
let players: Players;
before(async () => {
  [server, players] = await Promise.all([startHeadwater(), Players.open()]);
});
after(async () => {
  await players?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

test("DASH players go on from one Period to a connected one when the encoder returns", async () => {
  const stream = await server.createStream({ transcode: false, reconnect_window_ms: 30_000 });
  const first = publishWithFfmpeg(stream.publishUrl);
  await stream.until("live", soon());
  await untilPlaylist(stream.hlsUrl, "source", ({ complete }) => complete.length >= 3, soon());
  const handles = [await players.playDash(stream.dashUrl), await players.playShaka(stream.dashUrl)];
  for (const handle of handles) await handle.until(({ decodedFrames }) => decodedFrames > 50, soon(180));
  await first.stop("SIGKILL");
  await stream.until("reconnecting", soon());

  await using second = publishWithFfmpeg(stream.publishUrl);
  await untilPlaylist(stream.hlsUrl, "source", ({ complete }) => complete.at(-1)?.isGap === false, soon());
  const seen = handles.map(({ report }) => report.decodedFrames);
  await untilPlaylist(stream.hlsUrl, "source", ({ complete }) => hasReturned(complete), soon());
  const mpd = await (await fetch(stream.dashUrl)).text();
  assert.equal(mpd.match(/period-connectivity:2015" value="p0"/g)?.length, 2, mpd);
  for (const [index, handle] of handles.entries()) {
    const { fatal } = await handle.until(({ decodedFrames }) => decodedFrames > (seen[index] ?? 0) + 100, soon(180));
    assert.deepEqual(fatal, [], JSON.stringify(handle.report));
  }
  await second.stop();
});

test("DASH players go on when a rung leaves its Period for a while and joins it again", async () => {
  const stream = await server.createStream({ qualities: ["240p"], reconnect_window_ms: 0 });
  await using publisher = publishWithFfmpeg(stream.publishUrl, { size: "640x360" });
  await stream.until("live", soon());
  await untilPlaylist(stream.hlsUrl, "240p", ({ complete }) => complete.length >= 3, soon());
  const handles = [await players.playDash(stream.dashUrl), await players.playShaka(stream.dashUrl)];
  for (const handle of handles) await handle.until(({ decodedFrames }) => decodedFrames > 50, soon(180));
  // The first times it is back within a segment.
  for (let count = 1; count <= 3; count++) process.kill(await stream.untilEncoder(count, soon()), "SIGKILL");
  await untilPlaylist(stream.hlsUrl, "240p", ({ complete }) => hasJoinedAgain(complete), soon());
  const goals = handles.map(({ report }) => report.decodedFrames + 100);
  for (const [index, handle] of handles.entries()) {
    const { fatal } = await handle.until(({ decodedFrames }) => decodedFrames > (goals[index] ?? 0), soon(180));
    assert.deepEqual(fatal, [], JSON.stringify(handle.report));
  }
  await publisher.stop();
});

/** Two segments behind a gap. */
function hasJoinedAgain(complete: readonly { isGap: boolean }[]): boolean {
  const at = complete.findLastIndex(({ isGap }) => isGap);
  return at >= 0 && complete.length - at > 2;
}

/** A whole segment behind a discontinuity. */
function hasReturned(complete: readonly { hasDiscontinuity: boolean; isGap: boolean }[]): boolean {
  const at = complete.findIndex(({ hasDiscontinuity }) => hasDiscontinuity);
  return at >= 0 && complete.slice(at).some(({ isGap }) => !isGap);
}
