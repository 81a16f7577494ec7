import assert from "node:assert/strict";
import { test } from "node:test";
import { Emitter } from "../core/emitter.ts";
import { startApi } from "./api-harness.ts";

test("logs what was asked under an id that the answer carries, without queries and secrets", async (t) => {
  const events = new Emitter<{ line: Record<string, unknown> }>();
  const write = (level: string) => (fields: Record<string, unknown>, message: string) => {
    if (message === "api request") events.emit("line", { level, ...fields });
  };
  const log = {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    child: () => log,
  };
  const { call } = await startApi(t, { log });

  const creation = events.next("line");
  const created = await call("POST", "/streams?token=secret", { stream_id: "a" });
  const { elapsedMs, ...line } = await creation;
  assert.equal(typeof elapsedMs, "number");
  assert.deepEqual(line, {
    level: "info",
    requestId: created.headers.get("x-request-id"),
    method: "POST",
    path: "/streams",
    status: 201,
    address: "127.0.0.1",
  });

  const reading = events.next("line");
  const named = await call("GET", "/healthz", undefined, { "x-request-id": "proxy-42" });
  assert.equal(named.headers.get("x-request-id"), "proxy-42");
  const read = await reading;
  assert.deepEqual([read.level, read.requestId], ["debug", "proxy-42"]);

  const failing = events.next("line");
  const forged = await call("GET", "/streams/none", undefined, { "x-request-id": "a b {}" });
  assert.match(forged.headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);
  const failed = await failing;
  assert.deepEqual([failed.level, failed.status], ["info", 401]);
});
