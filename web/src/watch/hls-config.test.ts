import assert from "node:assert/strict";
import { test } from "node:test";
import type { LoadPolicy } from "hls.js";
import { hlsConfig } from "./hls-config.ts";

/** How long hls.js goes on asking for what answers `status` each time, by its own rule of delays. */
function patienceMs(policy: LoadPolicy | undefined, status: number): number {
  const retry = policy?.default.errorRetry;
  assert.ok(retry?.shouldRetry);
  let waitedMs = 0;
  for (let count = 0; ; count++) {
    if (!retry.shouldRetry(retry, count, false, { url: "", data: "", code: status }, false)) return waitedMs;
    waitedMs += Math.min(2 ** count * retry.retryDelayMs, retry.maxRetryDelayMs);
  }
}

test("playlists that are missing or unavailable are asked for during about a minute", () => {
  const { playlistLoadPolicy, manifestLoadPolicy } = hlsConfig({
    isLive: true,
    isLowLatency: true,
    startPositionS: 0,
    hasOtherRendition: () => false,
  });
  for (const policy of [playlistLoadPolicy, manifestLoadPolicy]) {
    for (const status of [0, 404, 500, 503]) {
      const waitedMs = patienceMs(policy, status);
      assert.ok(waitedMs >= 55_000 && waitedMs <= 65_000, `${status}: ${waitedMs} ms`);
    }
  }
});

test("a rendition that is gone is given up soon when there is another", () => {
  const { playlistLoadPolicy } = hlsConfig({
    isLive: true,
    isLowLatency: true,
    startPositionS: 0,
    hasOtherRendition: () => true,
  });
  assert.ok(patienceMs(playlistLoadPolicy, 404) < 7000);
  assert.ok(patienceMs(playlistLoadPolicy, 503) >= 55_000);
});

test("a segment that is gone is given up soon, one that is unavailable is not", () => {
  const { fragLoadPolicy } = hlsConfig({
    isLive: true,
    isLowLatency: true,
    startPositionS: 0,
    hasOtherRendition: () => false,
  });
  assert.ok(patienceMs(fragLoadPolicy, 404) < 4000);
  assert.ok(patienceMs(fragLoadPolicy, 503) >= 55_000);
});

test("the playlist's own hold-back is left to rule the delay", () => {
  const config = hlsConfig({ isLive: true, isLowLatency: true, startPositionS: 0, hasOtherRendition: () => false });
  for (const name of ["liveSyncDuration", "liveSyncDurationCount"]) assert.ok(!(name in config), name);
});

test("a stored video begins where it is told, also at its beginning, though it may still grow", () => {
  for (const startPositionS of [0, 3800]) {
    const stored = hlsConfig({ isLive: false, isLowLatency: false, startPositionS, hasOtherRendition: () => false });
    assert.equal(stored.startPosition, startPositionS);
    assert.ok(!stored.liveDurationInfinity);
  }
  const live = hlsConfig({ isLive: true, isLowLatency: false, startPositionS: 0, hasOtherRendition: () => false });
  assert.ok(!("startPosition" in live));
});

test("a refusal is final", () => {
  const { playlistLoadPolicy, fragLoadPolicy } = hlsConfig({
    isLive: true,
    isLowLatency: true,
    startPositionS: 0,
    hasOtherRendition: () => false,
  });
  for (const status of [401, 403, 410]) {
    assert.equal(patienceMs(playlistLoadPolicy, status), 0);
    assert.equal(patienceMs(fragLoadPolicy, status), 0);
  }
});
