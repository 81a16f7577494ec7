import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MalformedInput } from "../core/errors.ts";
import type { AmfValue } from "./amf.ts";
import { decodeAmf0, encodeAmf0 } from "./amf0.ts";

/** Values from hex with spaces, where quoted text stands for a 16-bit length and itself. */
function decode(text: string): AmfValue[] {
  return decodeAmf0(bytes(text));
}

function bytes(text: string): Buffer {
  const hex = text.replaceAll(/'(.*?)'/g, (_, word: string) => {
    const length = Buffer.byteLength(word).toString(16).padStart(4, "0");
    return length + Buffer.from(word).toString("hex");
  });
  return Buffer.from(hex.replaceAll(" ", ""), "hex");
}

const ONE = "00 3ff0000000000000";

test("reads the connect command of an encoder", () => {
  const command = `02 'connect' ${ONE} 03 'app' 02 'live' 'fpad' 01 00 'capsEx' 00 402e000000000000 'fourCcList' 0a 00000001 02 'hvc1' '' 09`;
  assert.deepEqual(decode(command), ["connect", 1, { app: "live", fpad: false, capsEx: 15, fourCcList: ["hvc1"] }]);
});

test("reads every kind of value", () => {
  assert.deepEqual(decode("05 06 01 01 0d"), [null, undefined, true, undefined]);
  assert.deepEqual(decode("0b 4024000000000000 0000"), [new Date(10)]);
  assert.deepEqual(decode("0c 00000002 6869 0f 00000001 78"), ["hi", "x"]);
  assert.deepEqual(decode("10 'Point' 'x' 00 3ff0000000000000 '' 09"), [{ x: 1 }]);
});

test("takes the count of an ECMA array as a hint, and its end as optional", () => {
  const expected = [{ width: 1, name: "a" }];
  for (const count of ["00000000", "00000002", "ffffffff"]) {
    assert.deepEqual(decode(`08 ${count} 'width' ${ONE} 'name' 02 'a' '' 09`), expected, count);
    assert.deepEqual(decode(`08 ${count} 'width' ${ONE} 'name' 02 'a'`), expected, `${count} without an end`);
  }
});

test("reads an AMF3 value after 0x11, and AMF0 again after that", () => {
  assert.deepEqual(decode("11 04 05 01 01 11 06 05 6869 02 'x'"), [5, true, "hi", "x"]);
});

test("keeps a property that is named like what objects inherit", () => {
  const [object] = decode("03 '__proto__' 03 'polluted' 01 01 '' 09 'constructor' 05 '' 09");
  assert.ok(object && typeof object === "object");
  assert.deepEqual(Object.keys(object), ["__proto__", "constructor"]);
  assert.equal(Object.getPrototypeOf(object), Object.prototype);
  assert.equal("polluted" in {}, false);
});

test("follows references to objects that are complete", () => {
  const [first, second] = decode(`03 'a' 03 'x' ${ONE} '' 09 'b' 07 0001 '' 09 07 0000`);
  assert.deepEqual(first, { a: { x: 1 }, b: { x: 1 } });
  assert.deepEqual(second, first);
});

test("refuses an object that contains itself, and references to nothing", () => {
  assert.throws(() => decode("03 'self' 07 0000 '' 09"), /not complete/);
  assert.throws(() => decode("07 0000"), MalformedInput);
});

test("refuses references that would multiply", () => {
  // Each array holds ten times the one before: 10^5 values after five.
  const tenTimes = (index: number) => `0a 0000000a ${`07 ${index.toString(16).padStart(4, "0")}`.repeat(10)}`;
  const message = `0a 0000000a ${"05".repeat(10)} ${[0, 1, 2, 3, 4, 5].map(tenTimes).join("")}`;
  assert.throws(() => decode(message), /more than 10000 values/);
});

test("refuses what lies deeper than 16 levels, also by reference", () => {
  const nested = (levels: number) => `${"0a 00000001".repeat(levels)} 05`;
  assert.equal(decode(nested(16)).length, 1);
  assert.throws(() => decode(nested(17)), /deeper than 16/);
  const chain = Array.from({ length: 20 }, (_, i) => `0a 00000001 07 ${i.toString(16).padStart(4, "0")}`);
  assert.throws(() => decode(`0a 00000001 05 ${chain.join("")}`), /deeper than 16/);
});

test("refuses texts and arrays that are longer than the message, or than is good", () => {
  assert.throws(() => decode("0c 7fffffff 61"), /string of 2147483647 bytes/);
  assert.throws(() => decode("0a 7fffffff 05"), /elements announced/);
  assert.throws(() => decode("02 0005 61"), MalformedInput);
  assert.throws(() => decode("00 3ff0"), MalformedInput);
  assert.throws(() => decode("04"), /unknown marker 0x4/);
  assert.throws(() => decode("03 'a'"), MalformedInput);
  assert.throws(() => decodeAmf0(new Uint8Array(10_001).fill(5)), /more than 10000 values/);
});

test("says at which byte a message broke", () => {
  assert.throws(
    () => decode("05 05 13"),
    (error) => error instanceof MalformedInput && error.byteOffset === 3,
  );
});

test("writes the answer to a command byte for byte", () => {
  assert.equal(
    Buffer.from(encodeAmf0("_result", 1, { level: "status", ok: true, none: null, list: ["a"] })).toString("hex"),
    bytes(`02 '_result' ${ONE} 03 'level' 02 'status' 'ok' 01 01 'none' 05 'list' 0a 00000001 02 'a' '' 09`).toString(
      "hex",
    ),
  );
});

test("reads what it wrote", () => {
  const { values } = fc.letrec<{ values: AmfValue[]; value: AmfValue }>((tie) => ({
    values: fc.array(tie("value"), { maxLength: 5 }),
    value: fc.oneof(
      { maxDepth: 6, withCrossShrink: true },
      fc.constantFrom<AmfValue>(null, undefined, true, false),
      fc.double({ noNaN: false }),
      fc.string({ unit: "grapheme" }),
      fc.date({ noInvalidDate: true }),
      fc.array(tie("value"), { maxLength: 4 }),
      fc.dictionary(fc.string({ minLength: 1 }), tie("value"), { maxKeys: 4, noNullPrototype: true }),
    ),
  }));
  fc.assert(fc.property(values, (list) => assert.deepEqual(decodeAmf0(encodeAmf0(...list)), list)));
});

test("writes strings above 64 KiB as long ones", () => {
  const long = "é".repeat(40_000);
  assert.equal(Buffer.from(encodeAmf0(long)).toString("hex", 0, 5), "0c00013880");
});
