import assert from "node:assert/strict";
import { test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { ERRORS } from "../core/errors.ts";
import { startApi } from "./api-harness.ts";

const METHODS = ["get", "post", "put", "patch", "delete"];

interface Operation {
  operationId: string;
  summary: string;
  tags: string[];
  security: Record<string, unknown>[];
  responses: Record<string, { description: string; content?: Record<string, { schema: { $ref?: string } }> }>;
}

test("serves a valid OpenAPI 3.1 document", async (t) => {
  const { call } = await startApi(t);
  const { status, headers, body } = await call("GET", "/api/openapi.json", undefined, {});
  assert.deepEqual([status, headers.get("content-type"), body.openapi], [200, "application/json", "3.1.0"]);
  const { valid, errors } = await new Validator().validate(structuredClone(body));
  assert.deepEqual(errors, undefined);
  assert.equal(valid, true);
  assert.doesNotMatch(JSON.stringify(body), /"nullable"/);
});

test("documents every route, and no route that is not there", async (t) => {
  const { call, http } = await startApi(t);
  const { body } = await call("GET", "/api/openapi.json");
  const documented = Object.entries(body.paths as Record<string, Record<string, unknown>>).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  for (const operation of documented) {
    const [method = "", path = ""] = operation.split(" ");
    const url = path.replaceAll(/\{(\w+)\}/g, ":$1");
    assert.ok(http.app.hasRoute({ method: method as "GET", url }), operation);
  }
  // The document itself and its page.
  assert.equal(documented.length, countRoutes(http.app.printRoutes({ commonPrefix: false })) - 2);
});

test("gives every operation a name, a meaning, its security and its problems", async (t) => {
  const { call } = await startApi(t);
  const { body } = await call("GET", "/api/openapi.json");
  const operations = Object.entries(body.paths as Record<string, Record<string, Operation>>).flatMap(
    ([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const ids = operations.map(({ operation }) => operation.operationId);
  assert.equal(new Set(ids).size, ids.length);
  for (const { path, method, operation } of operations) {
    const where = `${method} ${path}`;
    assert.ok(METHODS.includes(method), where);
    assert.ok(operation.operationId && operation.summary && operation.tags[0], where);
    assert.ok(Array.isArray(operation.security), where);
    if (operation.security.length > 0) assert.ok(operation.responses["401"], where);
    for (const [status, response] of Object.entries(operation.responses)) {
      if (Number(status) < 400) continue;
      const media = response.content?.["application/problem+json"];
      assert.equal(media?.schema.$ref, "#/components/schemas/Problem", `${where} ${status}`);
    }
  }
  assert.deepEqual(body.components.schemas.Problem.properties.code.enum, Object.keys(ERRORS));
});

test("says which credentials each part needs", async (t) => {
  const { call } = await startApi(t);
  const { paths } = (await call("GET", "/api/openapi.json")).body;
  assert.deepEqual(paths["/streams/{id}"].delete.security, [{ bearer: [] }, { cookie: [] }]);
  assert.deepEqual(paths["/api/v1/streams/{id}/playback"].get.security, []);
  assert.deepEqual(paths["/healthz"].get.security, []);
});

test("serves a page to read that holds every operation and loads nothing", async (t) => {
  const { call } = await startApi(t);
  const { paths } = (await call("GET", "/api/openapi.json")).body;
  const { status, headers, body } = await call("GET", "/api/docs", undefined, {});
  assert.equal(status, 200);
  assert.match(headers.get("content-security-policy") ?? "", /default-src 'none'/);
  assert.doesNotMatch(body, /<script|<link|src=|@import|url\(/);
  for (const path of Object.keys(paths)) assert.ok(body.includes(`<code>${path}</code>`), path);
  assert.doesNotMatch(body, /undefined|\[object/);
});

/** How many method and path pairs a printed route tree holds; HEAD comes with GET. */
function countRoutes(printed: string): number {
  const methods = [...printed.matchAll(/\(([A-Z, ]+)\)/g)].flatMap(([, list = ""]) => list.split(", "));
  return methods.filter((method) => method !== "HEAD" && method !== "OPTIONS").length;
}
