import assert from "node:assert/strict";
import { test } from "node:test";
import { DomainError, ERRORS, type ErrorCode } from "../../core/errors.ts";
import { endedStatus, refusedStatus } from "./publish-status.ts";

test("says what is wrong and what to do about it", () => {
  assert.deepEqual(refusedStatus(new DomainError("STREAM_BUSY")), {
    level: "error",
    code: "NetStream.Publish.BadName",
    description: "Another publisher is live on this stream. Stop the other one first.",
  });
  assert.deepEqual(endedStatus(new DomainError("BITRATE_EXCEEDED", "It is 9 Mbit/s.")), {
    level: "error",
    code: "NetStream.Publish.Rejected",
    description: "It is 9 Mbit/s. Lower the bit rate in your encoder.",
  });
});

test("has a whole sentence for every error there is", () => {
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    assert.match(refusedStatus(new DomainError(code)).description, /^\w.* .*\.$/);
  }
});

test("keeps our own trouble to itself", () => {
  const { description } = refusedStatus(new TypeError("cannot read /etc/secret"));
  assert.equal(description, "Something went wrong inside the server.");
});
