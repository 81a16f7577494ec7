import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MalformedInput } from "../core/errors.ts";
import { BitReader, unescapeNal } from "./bits.ts";

function bytesOf(bitText: string): Uint8Array {
  const padded = bitText.padEnd(Math.ceil(bitText.length / 8) * 8, "0");
  return Uint8Array.from(padded.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2));
}

function expGolomb(value: number): string {
  const binary = (value + 1).toString(2);
  return "0".repeat(binary.length - 1) + binary;
}

/** As an encoder does it: ITU-T H.264 7.4.1. */
function escapeNal(payload: Uint8Array): Uint8Array {
  const out: number[] = [];
  let zeroCount = 0;
  for (const byte of payload) {
    if (zeroCount >= 2 && byte <= 3) {
      out.push(3);
      zeroCount = 0;
    }
    out.push(byte);
    zeroCount = byte === 0 ? zeroCount + 1 : 0;
  }
  return Uint8Array.from(out);
}

test("reads fields of any width up to 32 bits in order", () => {
  const field = fc
    .integer({ min: 1, max: 32 })
    .chain((width) => fc.record({ width: fc.constant(width), value: fc.integer({ min: 0, max: 2 ** width - 1 }) }));
  fc.assert(
    fc.property(fc.array(field), (fields) => {
      const text = fields.map(({ width, value }) => value.toString(2).padStart(width, "0")).join("");
      const bits = new BitReader(bytesOf(text), "test");
      assert.deepEqual(
        fields.map(({ width }) => bits.bits(width)),
        fields.map(({ value }) => value),
      );
    }),
  );
});

test("reads signed and unsigned Exp-Golomb codes", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 2 ** 32 - 2 })), (values) => {
      const data = bytesOf(values.map(expGolomb).join(""));
      const unsigned = new BitReader(data, "test");
      const signed = new BitReader(data, "test");
      for (const value of values) {
        assert.equal(unsigned.ue(), value);
        assert.equal(signed.se(), value % 2 === 1 ? (value + 1) / 2 : 0 - value / 2);
      }
    }),
  );
});

test("refuses to read past the end, and an Exp-Golomb code without an end", () => {
  assert.throws(() => new BitReader(new Uint8Array(1), "test").bits(9), MalformedInput);
  assert.throws(() => new BitReader(new Uint8Array(1), "test").skip(9), MalformedInput);
  assert.throws(() => new BitReader(new Uint8Array(100), "test").ue(), MalformedInput);
  assert.throws(() => new BitReader(Uint8Array.of(0b00100000), "test").ueUpTo(2, "count"), /count is 3, above 2/);
});

test("takes emulation prevention bytes out, whatever they protect", () => {
  const zeroRich = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 255 })), { maxLength: 64 });
  fc.assert(
    fc.property(zeroRich, (payload) => {
      assert.deepEqual([...unescapeNal(escapeNal(Uint8Array.from(payload)))], payload);
    }),
  );
});

test("returns the same bytes when there is nothing to take out", () => {
  const nal = Uint8Array.of(0, 0, 1, 3, 0, 3);
  assert.equal(unescapeNal(nal), nal);
});
