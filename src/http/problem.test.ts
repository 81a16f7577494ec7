import assert from "node:assert/strict";
import { test } from "node:test";
import Fastify from "fastify";
import { z } from "zod";
import { DomainError, ERRORS, type ErrorCode, MalformedInput } from "../core/errors.ts";
import { silentLogger } from "../core/logger.ts";
import { answerProblem, installProblemHandlers } from "./problem.ts";

function headerOf(headers: readonly string[], name: string): string | undefined {
  const at = headers.indexOf(name);
  return at < 0 ? undefined : headers[at + 1];
}

test("gives every error of the table a body that repeats its status", () => {
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const { problem, headers } = answerProblem(new DomainError(code));
    assert.equal(problem.code, code);
    assert.equal(problem.title, ERRORS[code].title);
    assert.ok(problem.status >= 400 && problem.status < 600, code);
    assert.equal(headerOf(headers, "Content-Type"), "application/problem+json");
  }
});

test("maps categories, and the finer statuses HTTP has", () => {
  const statuses: [ErrorCode, number][] = [
    ["INVALID_REQUEST", 400],
    ["UNAUTHENTICATED", 401],
    ["STREAM_KEY_UNKNOWN", 403],
    ["STREAM_NOT_FOUND", 404],
    ["STREAM_BUSY", 409],
    ["LIMIT_REACHED", 429],
    ["INTERNAL", 500],
    ["NOT_IMPLEMENTED", 501],
    ["UNAVAILABLE", 503],
  ];
  for (const [code, status] of statuses)
    assert.equal(answerProblem(new DomainError(code)).problem.status, status, code);
});

test("adds the headers that a status asks for", () => {
  assert.equal(headerOf(answerProblem(new DomainError("UNAUTHENTICATED")).headers, "WWW-Authenticate"), "Bearer");
  const limited = new DomainError("LIMIT_REACHED", "too many", { details: { retry_after_s: 4.2 } });
  assert.equal(headerOf(answerProblem(limited).headers, "Retry-After"), "5");
  assert.equal(headerOf(answerProblem(new DomainError("UNAVAILABLE")).headers, "Retry-After"), "1");
  const refused = answerProblem(new DomainError("INVALID_REQUEST"), { status: 405, allow: "GET, HEAD" });
  assert.equal(refused.problem.status, 405);
  assert.equal(headerOf(refused.headers, "Allow"), "GET, HEAD");
});

test("lets nothing of an unforeseen error out", () => {
  const secret = new Error("password hunter2 in /home/me/secret.ts");
  for (const error of [secret, new DomainError("INTERNAL", "hunter2"), "hunter2", undefined, { statusCode: 404 }]) {
    const { problem } = answerProblem(error, { instance: "/a?token=hunter2" });
    assert.equal(problem.status, 500);
    assert.equal(problem.instance, "/a");
    assert.doesNotMatch(JSON.stringify(problem), /hunter2|secret\.ts/);
  }
});

test("tells where malformed input broke", () => {
  const { problem } = answerProblem(new MalformedInput("avcC", 7, "cut short"));
  assert.equal(problem.detail, "avcC at byte 7: cut short");
});

test("points into the body for every issue that zod found", () => {
  const schema = z.object({ qualities: z.array(z.object({ "a/b~c": z.number() })) });
  const { error } = schema.safeParse({ qualities: [{ "a/b~c": "x" }] });
  const { problem } = answerProblem(error);
  assert.equal(problem.status, 422);
  assert.equal(problem.errors?.[0]?.pointer, "/qualities/0/a~1b~0c");
});

function createApp() {
  const app = Fastify();
  installProblemHandlers(app, { log: silentLogger });
  app.get("/things/:id", () => ({ ok: true }));
  app.delete("/things/:id", () => ({ ok: true }));
  app.get("/files/:name", (_request, reply) => reply.callNotFound());
  app.get("/broken", () => {
    throw new Error("hunter2");
  });
  const body = { type: "object", required: ["name"], properties: { name: { type: "string" } } };
  const querystring = { type: "object", properties: { limit: { type: "integer" } } };
  app.post("/things", { schema: { body, querystring } }, () => ({ ok: true }));
  return app;
}

test("tells an unknown path from a method that is not possible", async () => {
  const app = createApp();
  const unknown = await app.inject({ url: "/nothing?key=1" });
  assert.equal(unknown.statusCode, 404);
  assert.equal(unknown.headers["content-type"], "application/problem+json");
  assert.equal(unknown.json().instance, "/nothing");
  assert.equal((await app.inject({ url: "/files/none" })).statusCode, 404);
  const wrongMethod = await app.inject({ method: "PUT", url: "/things/1" });
  assert.equal(wrongMethod.statusCode, 405);
  assert.equal(wrongMethod.headers.allow, "DELETE, GET, HEAD");
});

test("answers 422 for a bad body, 400 for a bad query and what is no JSON, 415 for another type", async () => {
  const app = createApp();
  const post = (url: string, payload: string, type = "application/json") =>
    app.inject({ method: "POST", url, payload, headers: { "content-type": type } });
  const badBody = await post("/things", "{}");
  assert.equal(badBody.statusCode, 422);
  assert.equal(badBody.json().errors.length, 1);
  assert.equal((await post("/things?limit=x", '{"name":"a"}')).statusCode, 400);
  const noJson = await post("/things", "{");
  assert.equal(noJson.statusCode, 400);
  assert.equal(noJson.json().code, "INVALID_REQUEST");
  assert.equal((await post("/things", "a", "text/csv")).statusCode, 415);
});

test("lets no cache keep a failure, whatever its status", async () => {
  const app = createApp();
  for (const request of [{ url: "/nothing" }, { url: "/broken" }, { method: "PUT", url: "/things/1" } as const]) {
    assert.equal((await app.inject(request)).headers["cache-control"], "no-store", request.url);
  }
  assert.equal((await app.inject({ url: "/things/1" })).headers["cache-control"], undefined);
});

test("hides a fault of ours behind 500", async () => {
  const response = await createApp().inject({ url: "/broken" });
  assert.equal(response.statusCode, 500);
  assert.equal(response.headers["cache-control"], "no-store");
  assert.doesNotMatch(response.body, /hunter2/);
});
