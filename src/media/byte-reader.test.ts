import assert from "node:assert/strict";
import { test } from "node:test";
import { MalformedInput } from "../core/errors.ts";
import { ByteReader } from "./byte-reader.ts";

function reader(hex: string): ByteReader {
  return new ByteReader(Buffer.from(hex, "hex"), "test", 100);
}

test("reads numbers of every width, signed and unsigned", () => {
  assert.deepEqual([reader("ff").u8(), reader("ffff").u16(), reader("ffffff").u24()], [255, 65_535, 16_777_215]);
  assert.deepEqual(
    [reader("ffffff").i24(), reader("7fffff").i24(), reader("800000").i24()],
    [-1, 8_388_607, -8_388_608],
  );
  assert.deepEqual([reader("ffffffff").u32(), reader("ffffffff").i32()], [4_294_967_295, -1]);
  assert.deepEqual([reader("0000000100000000").u64(), reader("ffffffffffffffff").i64()], [2 ** 32, -1]);
  assert.deepEqual([reader("0100").u16LittleEndian(), reader("01000080").u32LittleEndian()], [1, 2_147_483_649]);
  assert.equal(reader("3ff0000000000000").f64(), 1);
  assert.equal(reader("61766331").fourCc(), "avc1");
});

test("refuses numbers that cannot be held exactly", () => {
  assert.throws(() => reader("0020000000000000").u64(), MalformedInput);
  assert.throws(() => reader("8000000000000000").i64(), MalformedInput);
});

test("gives views in order, and says where the data ended", () => {
  const bytes = reader("0102030405");
  assert.equal(bytes.peek(), 1);
  assert.deepEqual([...bytes.bytes(2)], [1, 2]);
  bytes.skip(1);
  assert.deepEqual([bytes.position, bytes.bytesLeft], [3, 2]);
  assert.throws(() => bytes.u32(), { message: "test at byte 103: ends too early: 4 bytes wanted, 2 left" });
  assert.deepEqual([...bytes.rest()], [4, 5]);
  assert.throws(() => bytes.peek(), MalformedInput);
});
