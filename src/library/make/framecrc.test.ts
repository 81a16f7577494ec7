import assert from "node:assert/strict";
import { test } from "node:test";
import { firstFrameTime, readFirstFrameTime } from "./framecrc.ts";

const HEAD = "#software: Lavf59.27.100\n#tb 0: 1/30000\n#media_type 0: video\n#dimensions 0: 16x16\n";

test("reads the time of the first frame in other ticks", () => {
  assert.equal(firstFrameTime(`${HEAD}0,      87087,      90090,     1001,     4821, 0xb59f54ec\n`, 90_000), 270_270);
  assert.equal(firstFrameTime(`${HEAD}0, -1001, -1001, 1001, 48, 0x0\n0, 0, 0, 1001, 48, 0x0\n`, 90_000), -3003);
});

test("says nothing where no frame came", () => {
  assert.equal(firstFrameTime(HEAD, 90_000), undefined);
  assert.equal(firstFrameTime("", 90_000), undefined);
});

test("reads what comes in pieces", async () => {
  const text = Buffer.from(`${HEAD}0, 0, 1001, 1001, 48, 0x0\n`);
  const pieces = async function* () {
    for (const byte of text) yield Uint8Array.of(byte);
  };
  assert.equal(await readFirstFrameTime(pieces(), 30_000), 1001);
});
