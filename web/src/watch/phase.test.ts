import assert from "node:assert/strict";
import { test } from "node:test";
import { type MediaView, phaseOf, playerStep, type ServerView } from "./phase.ts";

const SERVER: ServerView[] = ["unknown", "missing", "unreachable", "pending", "live", "reconnecting", "ended"];

test("a picture that moves is live, whatever the server says", () => {
  for (const server of SERVER) assert.equal(phaseOf(server, "playing"), "live");
});

test("without media the server's word is shown", () => {
  assert.deepEqual(
    SERVER.map((server) => phaseOf(server, "none")),
    ["loading", "missing", "unreachable", "pending", "live", "reconnecting", "ended"],
  );
});

test("a stall is a reconnect when the publisher or the server is away, else it is buffering", () => {
  assert.equal(phaseOf("reconnecting", "stalled"), "reconnecting");
  assert.equal(phaseOf("unreachable", "stalled"), "reconnecting");
  assert.equal(phaseOf("live", "stalled"), "live");
});

test("a viewer who paused is not told of a reconnect, but of the end", () => {
  assert.equal(phaseOf("reconnecting", "paused"), "live");
  assert.equal(phaseOf("ended", "paused"), "ended");
});

test("a player that gave up is a failure only while there is something to play", () => {
  assert.equal(phaseOf("live", "failed"), "failed");
  assert.equal(phaseOf("reconnecting", "failed"), "reconnecting");
  assert.equal(phaseOf("ended", "failed"), "ended");
});

test("the player opens when the stream is live, and again for the next broadcast", () => {
  assert.equal(playerStep("live", "none"), "open");
  assert.equal(playerStep("live", "ended"), "open");
  for (const media of ["starting", "playing", "paused", "blocked", "stalled", "failed"] satisfies MediaView[]) {
    assert.equal(playerStep("live", media), "keep");
  }
});

test("the player closes after the last frame, not before", () => {
  assert.equal(playerStep("ended", "playing"), "keep");
  for (const media of ["stalled", "ended", "paused", "failed"] satisfies MediaView[]) {
    assert.equal(playerStep("ended", media), "close");
  }
});

test("a publisher who is away closes nothing", () => {
  for (const media of ["starting", "stalled", "ended", "failed"] satisfies MediaView[]) {
    assert.equal(playerStep("reconnecting", media), "keep");
    assert.equal(playerStep("unreachable", media), "keep");
  }
});

test("a stored video is opened once, and its end does not open it again", () => {
  assert.equal(playerStep("stored", "none"), "open");
  for (const media of ["starting", "playing", "paused", "blocked", "stalled", "ended", "failed"] as const) {
    assert.equal(playerStep("stored", media), "keep", media);
  }
});

test("a stored video keeps its controls until it fails", () => {
  for (const media of ["none", "starting", "playing", "paused", "blocked", "stalled", "ended"] as const) {
    assert.equal(phaseOf("stored", media, "video"), "stored", media);
  }
  assert.equal(phaseOf("stored", "failed", "video"), "failed");
});

test("of a video whose server is away what is buffered is shown, and then that the server does not answer", () => {
  for (const media of ["playing", "paused", "blocked", "ended"] as const) {
    assert.equal(phaseOf("unreachable", media, "video"), "stored", media);
  }
  for (const media of ["none", "starting", "stalled", "failed"] as const) {
    assert.equal(phaseOf("unreachable", media, "video"), "unreachable", media);
  }
});
