import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { DomainError, ERRORS, type ErrorCode } from "../core/errors.ts";
import { answerProblem } from "../http/problem.ts";
import { startApi } from "./api-harness.ts";

const DOCS = new URL("../../docs/", import.meta.url);

test("docs/errors.md has every error with its status and title, and no other", async () => {
  const text = await readFile(new URL("errors.md", DOCS), "utf8");
  const rows = [...text.matchAll(/^\| `([A-Z_]+)` \| (\d{3}) \| (.+?) \| (.+?) \|$/gm)];
  const written = rows.map(([, code, status, title]) => ({ code, status: Number(status), title }));
  const expected = (Object.keys(ERRORS) as ErrorCode[]).map((code) => {
    const { status, title } = answerProblem(new DomainError(code)).problem;
    return { code, status, title };
  });
  assert.deepEqual(written, expected);
});

test("docs/api.md names only requests that the API takes, and all of its resources", async (t) => {
  const { call } = await startApi(t);
  const { paths } = (await call("GET", "/api/openapi.json")).body;
  const text = await readFile(new URL("api.md", DOCS), "utf8");
  const named = new Set(
    [...text.matchAll(/`(GET|POST|PATCH|DELETE) (\/\S+)`/g)].map(([, method, path]) => `${method} ${path}`),
  );
  const taken = Object.entries<object>(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  assert.deepEqual(
    [...named].filter((request) => !taken.includes(request)),
    [],
  );
  const resources = taken.filter((request) => / \/api\/v1\/(streams|videos|jobs)/.test(request));
  assert.deepEqual(
    resources.filter((request) => !named.has(request)),
    [],
  );
});
