import assert from "node:assert/strict";
import { test } from "node:test";
import { Playhead } from "./playhead.ts";

/** A media element, as far as its place is read. */
class FakeVideo extends EventTarget {
  currentTime = 0;
  readyState = 0;
  seeking = false;
  ended = false;

  /** Is so, and says so. */
  becomes(event: string, state: Partial<Pick<FakeVideo, "currentTime" | "readyState" | "seeking" | "ended">>): void {
    Object.assign(this, state);
    this.dispatchEvent(new Event(event));
  }
}

function follow() {
  const video = new FakeVideo();
  const stop = new AbortController();
  return { video, stop, playhead: new Playhead(video as unknown as HTMLVideoElement, stop.signal) };
}

test("the place is where pictures were seen last, whatever the element says while it is emptied and filled anew", () => {
  const { video, playhead } = follow();
  video.becomes("timeupdate", { currentTime: 3800, readyState: 4 });
  video.becomes("timeupdate", { currentTime: 0, readyState: 0 });
  video.becomes("emptied", {});
  video.becomes("timeupdate", { readyState: 1 });
  video.becomes("seeking", { currentTime: 12, seeking: true });
  assert.equal(playhead.positionS, 3800);
  video.becomes("seeked", { currentTime: 3801, readyState: 2, seeking: false });
  assert.equal(playhead.positionS, 3801);
});

test("where a viewer went is the place before its picture comes", () => {
  const { video, playhead } = follow();
  video.becomes("timeupdate", { currentTime: 5, readyState: 4 });
  video.becomes("seeking", { currentTime: 700, readyState: 1, seeking: true });
  video.becomes("timeupdate", {});
  assert.equal(playhead.positionS, 700);
});

test("behind the end comes the beginning", () => {
  const { video, playhead } = follow();
  video.becomes("timeupdate", { currentTime: 59, readyState: 4 });
  video.becomes("timeupdate", { currentTime: 60, ended: true });
  video.becomes("ended", {});
  video.becomes("timeupdate", {});
  assert.equal(playhead.positionS, 0);
});

test("a pause is the viewer's until the viewer plays on, and none is heard of when nobody follows any more", () => {
  const { video, stop, playhead } = follow();
  video.becomes("pause", {});
  video.becomes("emptied", {});
  assert.ok(playhead.isPaused);
  video.becomes("play", {});
  assert.ok(!playhead.isPaused);
  stop.abort();
  video.becomes("pause", {});
  assert.ok(!playhead.isPaused);
});
