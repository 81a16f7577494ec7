import assert from "node:assert/strict";
import { test } from "node:test";
import { bufferedAheadS, catchUpRate } from "./catch-up.ts";

const short = { targetS: 0.6, bufferS: 0.5, partS: 0.2, maxLateS: 2 };

test("plays as fast as the encoder where a viewer should be, or nearer", () => {
  for (const latencyS of [0, 0.5, 0.6, 0.64]) assert.equal(catchUpRate({ ...short, latencyS }), 1);
});

test("plays faster the further behind a viewer is, up to a tenth", () => {
  assert.deepEqual(
    [0.7, 0.76, 0.9, 2.5].map((latencyS) => catchUpRate({ ...short, latencyS })),
    [1.05, 1.08, 1.1, 1.1],
  );
});

test("spends no buffer that the next part needs", () => {
  assert.equal(catchUpRate({ ...short, latencyS: 1, bufferS: 0.29 }), 1);
  assert.equal(catchUpRate({ ...short, latencyS: 1, bufferS: 0.31 }), 1.1);
  assert.equal(catchUpRate({ ...short, latencyS: 1, partS: 0.5 }), 1);
});

test("leaves a viewer who sought back where he is", () => {
  assert.equal(catchUpRate({ ...short, latencyS: 2.7 }), 1);
});

test("counts the buffer from the picture to the first hole", () => {
  const ranges = [
    [0, 4],
    [5, 9],
  ] as const;
  const buffered = {
    length: ranges.length,
    start: (index: number) => ranges[index]?.[0] ?? Number.NaN,
    end: (index: number) => ranges[index]?.[1] ?? Number.NaN,
  };
  assert.deepEqual(
    [3, 4.5, 5, 8.5, 10].map((currentTime) => bufferedAheadS({ buffered, currentTime })),
    [1, 0, 4, 0.5, 0],
  );
});
