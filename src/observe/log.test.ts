import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { DomainError } from "../core/errors.ts";
import { type LogOptions, openLog } from "./log.ts";

function capture(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const { logger } = openLog({ level: "info", format: "json", write: (line) => void lines.push(line), ...options });
  return { logger, lines, records: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

test("writes one JSON object a line, with the fields of the children", () => {
  const { logger, records } = capture();
  logger.child({ streamId: "a" }).info({ bytes: 1 }, "session closed");
  logger.debug({}, "too fine");
  const [record, ...rest] = records();
  assert.deepEqual(rest, []);
  assert.match(String(record?.time), /^\d{4}-\d\d-\d\dT.*Z$/);
  assert.deepEqual(
    { ...record, time: "" },
    { level: "info", time: "", streamId: "a", bytes: 1, msg: "session closed" },
  );
});

test("hides what is secret by its name", () => {
  const { logger, lines } = capture();
  logger.info({ streamKey: "sk_hush", request: { authorization: "Bearer hush", path: "/x" } }, "publish");
  logger.child({ adminToken: "hush" }).warn({ token: "hush" }, "signed in");
  assert.doesNotMatch(lines.join(""), /hush/);
  assert.match(lines.join(""), /"path":"\/x"/);
});

test("keeps code, details, cause and stack of an error", () => {
  const { logger, records } = capture();
  const error = new DomainError("UNAVAILABLE", "no", { cause: new Error("why"), details: { resultCode: 13 } });
  logger.error({ err: error }, "failed");
  logger.error({ error }, "failed");
  for (const [index, name] of ["err", "error"].entries()) {
    const written = records()[index]?.[name] as Record<string, unknown>;
    assert.equal(written.code, "UNAVAILABLE");
    assert.deepEqual(written.details, { resultCode: 13 });
    assert.match(String(written.stack), /log\.test\.ts.*caused by: Error: why/s);
  }
});

test("writes text for people, with the stack below", () => {
  const { logger, lines } = capture({ format: "text" });
  logger.warn({ reason: "no media", bytes: 12, streamId: "a-b" }, "rtmp session closed");
  logger.error({ err: new Error("boom") }, "failed");
  assert.match(
    lines[0] ?? "",
    /^\d\d:\d\d:\d\d\.\d{3} WARN {2}rtmp session closed reason="no media" bytes=12 streamId=a-b\n$/,
  );
  assert.match(lines[1] ?? "", /ERROR failed err=boom\nError: boom\n {4}at /);
});

test("writes everything to standard output before the process ends", async () => {
  const script = `
    const { openLog } = await import(process.argv[1]);
    const log = openLog({ level: "info", format: "json" });
    for (let n = 0; n < 1000; n++) log.logger.info({ n }, "line");
    log.close();
    process.exit(0);
  `;
  const args = ["--input-type=module", "--eval", script, new URL("./log.ts", import.meta.url).href];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  assert.equal(stdout.trim().split("\n").length, 1000);
});
