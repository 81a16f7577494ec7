import assert from "node:assert/strict";
import { test } from "node:test";
import type { AnyPlayback } from "../api/model.ts";
import { watchable } from "./watchable.ts";

const READY: AnyPlayback = {
  kind: "video",
  video_id: "0190",
  title: "By the sea",
  state: "ready",
  is_playable: true,
  duration_ms: 60_000,
  hls_url: "/videos/0190/master.m3u8",
  dash_url: "/videos/0190/manifest.mpd",
  poster_url: null,
  storyboard_url: null,
};

test("a video can be watched from its first seconds on, as DASH when it grows no more", () => {
  for (const state of ["preparing", "playable"] as const) {
    const { state: shown, hlsUrl, dashUrl } = watchable({ ...READY, state });
    assert.deepEqual([shown, hlsUrl, dashUrl], ["stored", READY.hls_url, null]);
  }
  const { state, dashUrl } = watchable(READY);
  assert.deepEqual([state, dashUrl], ["stored", READY.dash_url]);
});

test("what is there of a video that was stopped, or failed late, is watched", () => {
  const { state, dashUrl } = watchable({ ...READY, state: "errored" });
  assert.deepEqual([state, dashUrl], ["stored", READY.dash_url]);
});

test("a video without its first seconds is waited for, unless it failed", () => {
  assert.equal(watchable({ ...READY, state: "preparing", is_playable: false }).state, "preparing");
  assert.equal(watchable({ ...READY, state: "errored", is_playable: false }).state, "errored");
});
