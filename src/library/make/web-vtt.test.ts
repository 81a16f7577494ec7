import assert from "node:assert/strict";
import { test } from "node:test";
import { shiftWebVtt } from "./web-vtt.ts";

const TEXT = `WEBVTT

NOTE that stays

00:01.000 --> 00:02.000
first

named
00:59:59.500 --> 01:00:01.000 line:0
<i>second</i>
in two lines
`;

test("moves every cue and keeps all else", () => {
  const expected = `WEBVTT

NOTE that stays

00:00:02.400 --> 00:00:03.400
first

named
01:00:00.900 --> 01:00:02.400 line:0
<i>second</i>
in two lines
`;
  assert.equal(shiftWebVtt(TEXT, 1400), expected);
});

test("leaves out what is over before zero, and begins at zero what began before", () => {
  const moved = shiftWebVtt(
    "WEBVTT\r\n\r\n00:01.000 --> 00:02.000\r\na\r\n\r\n00:01.500 --> 00:03.000\r\nb\r\n",
    -2000,
  );
  assert.equal(moved, "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nb\n");
});

test("takes times from before zero", () => {
  assert.equal(
    shiftWebVtt("WEBVTT\n\n-00:01.000 --> 00:02.000\na\n", 1000),
    "WEBVTT\n\n00:00:00.000 --> 00:00:03.000\na\n",
  );
});

test("keeps a text without cues", () => {
  assert.equal(shiftWebVtt("WEBVTT\n\n", 5), "WEBVTT\n");
});
