import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { encodeSource } from "../../test/support/encoded-source.ts";
import { ManualClock } from "../core/clock.ts";
import { silentLogger } from "../core/logger.ts";
import { writeChunk } from "../media/cmaf/chunk.ts";
import { writeInitSegment } from "../media/cmaf/init-segment.ts";
import { findProgram } from "./ffmpeg/probe.ts";
import { type StillMedia, Stills } from "./stills.ts";

const path = await findProgram("ffmpeg", process.env.PATH ?? "");
assert.ok(path, "these tests run ffmpeg");
const PROGRAM = { path, environment: {}, workDir: tmpdir(), niceness: 10 };
const TIMEOUT = { timeout: 90_000 };

async function media(line: string): Promise<StillMedia> {
  const { period, units } = await encodeSource(`-f lavfi -i ${line} -t 1 -c:v libx264 -preset ultrafast`);
  assert.ok(period.video);
  const first = units.slice(0, 8);
  const [{ dts: baseDecodeTime } = { dts: 0 }] = first;
  const chunk = writeChunk({ sequenceNumber: 1, trackId: 1, baseDecodeTime, samples: first, isSegmentStart: true });
  return { init: writeInitSegment([{ trackId: 1, ...period.video }]), chunks: [chunk.bytes] };
}

/** Width and height as the frame header (SOF0) of a JPEG says. */
function sizeOf(jpeg: Uint8Array | undefined): number[] {
  assert.ok(jpeg);
  const bytes = Buffer.from(jpeg);
  assert.deepEqual([...bytes.subarray(0, 2), ...bytes.subarray(-2)], [0xff, 0xd8, 0xff, 0xd9]);
  const at = bytes.indexOf(Buffer.from([0xff, 0xc0]));
  return [bytes.readUInt16BE(at + 7), bytes.readUInt16BE(at + 5)];
}

function makeStills(program = PROGRAM) {
  const clock = new ManualClock();
  return { clock, stills: new Stills({ program, clock, logger: silentLogger }) };
}

test("makes one JPEG for all who ask within five seconds", TIMEOUT, async () => {
  const { clock, stills } = makeStills();
  const source = await media("testsrc2=s=1280x720:r=30");
  let askedCount = 0;
  const newest = () => {
    askedCount += 1;
    return source;
  };
  const [one, other] = await Promise.all([stills.get("a", newest), stills.get("a", newest)]);
  assert.deepEqual(sizeOf(one), [640, 360]);
  assert.equal(one, other);
  clock.advance(4_900);
  assert.equal(await stills.get("a", newest), one);
  assert.equal(askedCount, 1);
  clock.advance(200);
  assert.ok(await stills.get("a", newest));
  assert.equal(askedCount, 2);
});

test("keeps the shape: portrait, small, stretched", TIMEOUT, async () => {
  const { stills } = makeStills();
  const portrait = await media("testsrc2=s=720x1280:r=10");
  const small = await media("testsrc2=s=322x182:r=10");
  const stretched = await media("testsrc2=s=720x576:r=10,setsar=16/11");
  assert.deepEqual(sizeOf(await stills.get("portrait", () => portrait)), [640, 1138]);
  assert.deepEqual(sizeOf(await stills.get("small", () => small)), [322, 182]);
  assert.deepEqual(sizeOf(await stills.get("stretched", () => stretched)), [640, 352]);
});

test("has no picture of a stream without media, nor of media that is none", TIMEOUT, async () => {
  const { stills } = makeStills();
  assert.equal(await stills.get("empty", () => undefined), undefined);
  const rubbish = { init: Buffer.from("no header"), chunks: [] };
  assert.equal(await stills.get("rubbish", () => rubbish), undefined);
});

test("runs two at once, lets 32 wait and refuses more", TIMEOUT, async () => {
  const source = await media("testsrc2=s=160x90:r=10");
  const { stills } = makeStills();
  let isAsked = 0;
  const newest = () => {
    isAsked += 1;
    return source;
  };
  const asked = Array.from({ length: 40 }, (_, index) => stills.get(`${index}`, newest));
  const settled = Promise.allSettled(asked);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isAsked, 2);
  const results = await settled;
  const refused = results.filter((result) => result.status === "rejected");
  assert.equal(refused.length, 6);
  assert.ok(refused.every(({ reason }) => reason.code === "LIMIT_REACHED"));
  assert.ok(results.every((result) => result.status === "rejected" || sizeOf(result.value)[0] === 160));
});

test("gives up after five seconds", TIMEOUT, async (t) => {
  const source = await media("testsrc2=s=160x90:r=10");
  const directory = await mkdtemp(join(tmpdir(), "headwater-stills-"));
  t.after(() => rm(directory, { recursive: true }));
  const stuck = join(directory, "stuck");
  await writeFile(stuck, "#!/bin/sh\nexec /bin/sleep 1000\n", { mode: 0o755 });
  const { clock, stills } = makeStills({ ...PROGRAM, path: stuck });
  let isSettled = false;
  const asked = stills
    .get("stuck", () => source)
    .finally(() => {
      isSettled = true;
    });
  await new Promise((resolve) => setImmediate(resolve));
  clock.advance(4_900);
  await makeStills().stills.get("another", () => source);
  assert.equal(isSettled, false);
  clock.advance(200);
  assert.equal(await asked, undefined);
});
