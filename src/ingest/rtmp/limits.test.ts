import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionSlots } from "./limits.ts";

test("lets in as many pending connections and publishers as there is room for", () => {
  const slots = new ConnectionSlots({ maxPendingCount: 2, maxPublisherCount: 1 });
  assert.equal(slots.enter(), true);
  assert.equal(slots.enter(), true);
  assert.equal(slots.enter(), false, "no third pending one");
  assert.equal(slots.publish(), true);
  assert.equal(slots.enter(), true, "a publisher is not pending");
  assert.equal(slots.publish(), false, "no second publisher");
  assert.deepEqual([slots.pendingCount, slots.publisherCount], [2, 1]);
  slots.unpublish();
  assert.deepEqual([slots.pendingCount, slots.publisherCount], [3, 0]);
  slots.leave();
  assert.equal(slots.publish(), true);
  assert.deepEqual([slots.pendingCount, slots.publisherCount], [1, 1]);
});
