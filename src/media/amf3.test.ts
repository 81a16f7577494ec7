import assert from "node:assert/strict";
import { test } from "node:test";
import { MalformedInput } from "../core/errors.ts";
import type { AmfValue } from "./amf.ts";
import { decodeAmf3 } from "./amf3.ts";

/** Values from hex with spaces, where quoted text stands for its inline length and itself. */
function decode(text: string): AmfValue[] {
  const hex = text.replaceAll(/'(.*?)'/g, (_, word: string) => {
    const length = ((Buffer.byteLength(word) << 1) | 1).toString(16).padStart(2, "0");
    return length + Buffer.from(word).toString("hex");
  });
  return decodeAmf3(Buffer.from(hex.replaceAll(" ", ""), "hex"));
}

test("reads plain values", () => {
  assert.deepEqual(decode("00 01 02 03 05 3ff0000000000000 06 'hi' 06 ''"), [
    undefined,
    null,
    false,
    true,
    1,
    "hi",
    "",
  ]);
});

test("reads integers of 29 bits with their sign", () => {
  assert.deepEqual(decode("04 00 04 7f 04 8100 04 ffff7f 04 80c08000"), [0, 127, 128, 2_097_151, 2_097_152]);
  assert.deepEqual(decode("04 bfffffff 04 c0808000 04 ffffffff"), [268_435_455, -268_435_456, -1]);
});

test("reads objects with sealed and dynamic members, and their traits again by reference", () => {
  // class Point, one sealed member x, dynamic
  assert.deepEqual(decode("0a 1b 'Point' 'x' 04 01 'y' 04 02 '' 0a 01 04 03 ''"), [{ x: 1, y: 2 }, { x: 3 }]);
});

test("reads strings and objects by reference", () => {
  assert.deepEqual(decode("06 'ab' 06 00 09 03 '' 06 00 09 00"), ["ab", "ab", ["ab"], ["ab"]]);
});

test("reads arrays, dates, bytes, XML, vectors and dictionaries", () => {
  assert.deepEqual(decode("09 05 '' 04 01 03"), [[1, true]]);
  assert.deepEqual(decode("09 03 'k' 04 07 '' 04 01"), [{ k: 7, 0: 1 }]);
  assert.deepEqual(decode("08 01 4024000000000000"), [new Date(10)]);
  assert.deepEqual(
    decode("0c 05 0102").map((value) => Buffer.from(value as Uint8Array).toString("hex")),
    ["0102"],
  );
  assert.deepEqual(decode("0b 'x' 07 'y'"), ["x", "y"]);
  assert.deepEqual(decode("0d 05 00 ffffffff 00000002"), [[-1, 2]]);
  assert.deepEqual(decode("0e 03 01 ffffffff"), [[4_294_967_295]]);
  assert.deepEqual(decode("0f 03 00 3ff0000000000000"), [[1]]);
  assert.deepEqual(decode("10 03 00 'T' 06 'v'"), [["v"]]);
  assert.deepEqual(decode("11 03 00 06 'key' 04 05"), [{ key: 5 }]);
});

test("refuses externalizable objects, references to nothing and counts above the message", () => {
  for (const text of [
    "0a 07 'C'",
    "06 02",
    "0a 02",
    "0a 05",
    "09 ffffffff 01",
    "0d ffffffff 00",
    "0c ffffffff",
    "12",
    "04 80",
  ]) {
    assert.throws(() => decode(text), MalformedInput, text);
  }
});

test("refuses an array that contains itself", () => {
  assert.throws(() => decode("09 03 '' 09 00"), /not complete/);
});
