import assert from "node:assert/strict";
import { test } from "node:test";
import { type CellScript, livePeriod, SOUND, SOURCE, segmentOf } from "../../../test/support/recorded-rows.ts";
import { Emitter } from "../../core/emitter.ts";
import type { LivePresentation, PresentationEvents, Rendition, Segment } from "../../packaging/presentation.ts";
import { RowGatherer } from "./row-gatherer.ts";

const RUNG: CellScript = { id: "360p" };

/** A presentation to which segments are added by hand, and what is gathered of it. */
function gathered({ isOpen = true, expected = [] as readonly string[] } = {}) {
  const events = new Emitter<PresentationEvents>();
  const renditions: (Rendition & { segments: Segment[] })[] = [];
  const rows: string[] = [];
  const state = { isOpen, expected, hasEnded: false };
  // Of a presentation only these are looked at, and of a rendition what tells it apart.
  const presentation = { events, renditions } as unknown as LivePresentation;
  const gatherer = new RowGatherer({
    presentation,
    expectedIds: () => state.expected,
    isOpen: () => state.isOpen,
    onRow: ({ msn, cells }) => rows.push(`${msn}: ${[...cells.keys()].sort().join(" ")}`),
    onEnd: () => {
      state.hasEnded = true;
    },
  });
  const list = ({ id, format }: CellScript) => {
    const known = renditions.find((rendition) => rendition.id === id);
    if (known) return known;
    const origin = id.endsWith("source") ? "source" : "rung";
    const rendition = { id, kind: format?.kind ?? "video", origin, segments: [] as Segment[] };
    renditions.push(rendition as unknown as (typeof renditions)[number]);
    return rendition as unknown as (typeof renditions)[number];
  };
  const add = (cell: CellScript, msn: number, isGap = false, { lateMs = 0, shortMs = 0 } = {}) => {
    const rendition = list(cell);
    const [atMs, durationMs] = [10_000 + msn * 1_000 + lateMs, 1_000 - lateMs - shortMs];
    const segment = segmentOf(cell, { msn, period: livePeriod(), atMs, durationMs });
    rendition.segments.push({ ...segment, isGap });
    events.emit("advance", rendition);
  };
  return { add, list, rows, state, events, presentation, gatherer };
}

test("gives a row when every rendition has its segment", () => {
  const { add, rows } = gathered();
  for (const cell of [SOURCE, SOUND]) add(cell, 1);
  add(SOURCE, 2);
  assert.deepEqual(rows, ["1: source"], "who is not listed yet is not waited for");
  add(SOUND, 2);
  assert.deepEqual(rows, ["1: source", "2: audio_source source"]);
});

test("waits for renditions that are on their way, and for viewers to be let in", () => {
  const { add, rows, state } = gathered({ isOpen: false, expected: ["360p"] });
  for (const msn of [1, 2]) for (const cell of [SOURCE, SOUND]) add(cell, msn);
  add(RUNG, 1);
  assert.deepEqual(rows, []);
  state.isOpen = true;
  add(RUNG, 2);
  assert.deepEqual(rows, ["1: 360p audio_source source", "2: 360p audio_source source"]);
});

test("goes on without a rendition that is far behind, or has passed", () => {
  const { add, rows } = gathered({ expected: ["source", "360p"] });
  add(RUNG, 1);
  for (let msn = 1; msn <= 18; msn++) add(SOURCE, msn);
  assert.equal(rows[0], "1: 360p source");
  assert.equal(rows[1], "2: source", "15 s are too long");
  add(RUNG, 18);
  assert.equal(rows.at(-1), "18: 360p source");
  assert.equal(rows.length, 18);
});

test("leaves out rows in which the source has nothing, and cells that are gaps", () => {
  const { add, rows } = gathered({ expected: ["source", "audio_source"] });
  add(SOURCE, 1);
  add(SOUND, 1);
  for (const cell of [SOURCE, SOUND]) add(cell, 2, true);
  add(SOURCE, 3, true);
  add(SOUND, 3);
  assert.deepEqual(rows, ["1: audio_source source", "3: audio_source"]);
});

test("leaves out what a rung has only a part of: players would wait for the rest", () => {
  const { add, rows } = gathered({ expected: ["source", "audio_source", "360p"] });
  for (const part of [{ shortMs: 900 }, { lateMs: 300 }, { shortMs: 40, lateMs: 40 }]) {
    const msn = rows.length + 1;
    add(SOURCE, msn);
    add(SOUND, msn, false, { lateMs: 400 });
    add(RUNG, msn, false, part);
  }
  assert.deepEqual(rows, ["1: audio_source source", "2: audio_source source", "3: 360p audio_source source"]);
});

test("measures the sound of a rung by the sound of the source", () => {
  const { add, rows } = gathered({ expected: ["source", "audio_source", "aac_96"] });
  add(SOURCE, 1);
  add(SOUND, 1, false, { lateMs: 400 });
  add({ ...SOUND, id: "aac_96" }, 1, false, { lateMs: 420 });
  assert.deepEqual(rows, ["1: aac_96 audio_source source"]);
});

test("gives what is left when the broadcast ends, and hears no more", () => {
  const { add, rows, events, presentation, state } = gathered({ expected: ["source", "360p"] });
  add(SOURCE, 1);
  add(SOURCE, 2);
  assert.deepEqual(rows, []);
  events.emit("ended", presentation);
  assert.deepEqual([rows, state.hasEnded], [["1: source", "2: source"], true]);
  add(SOURCE, 3);
  assert.equal(rows.length, 2);
});
