import assert from "node:assert/strict";
import { test } from "node:test";
import { RecoveryBudget } from "./recovery-budget.ts";

test("a loop of failures runs out of tries", () => {
  const budget = new RecoveryBudget({ count: 3, windowMs: 1000 });
  assert.deepEqual(
    [0, 1, 2, 3, 999].map((ms) => budget.trySpend(ms)),
    [true, true, true, false, false],
  );
  assert.equal(budget.total, 3);
});

test("trouble now and then never runs out", () => {
  const budget = new RecoveryBudget({ count: 1, windowMs: 1000 });
  const granted = Array.from({ length: 50 }, (_, index) => budget.trySpend(index * 1000));
  assert.ok(granted.every((isGranted) => isGranted));
});
