import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import {
  findMinio,
  makeBucket,
  NO_MINIO,
  type S3Server,
  startMinio,
  startS3rver,
} from "../../../test/support/s3-server.ts";
import { type Fault, TcpProxy } from "../../../test/support/tcp-proxy.ts";
import { DomainError } from "../../core/errors.ts";
import { silentLogger } from "../../core/logger.ts";
import { bytesOf, describeObjectStore, got, keysOf } from "../object-store-contract.ts";
import { S3ObjectStore, type S3ObjectStoreOptions } from "./s3-object-store.ts";

const MIB = 1024 * 1024;
/** Far more than an answer takes on any machine, far less than the tests may take. */
const SHORT_TIMEOUTS = { connectMs: 4_000, requestMs: 4_000, idleMs: 4_000 };

const minioProgram = await findMinio();
const servers: { name: string; skip?: string; start: () => Promise<S3Server> }[] = [
  { name: "s3 (s3rver)", start: startS3rver },
  {
    name: "s3 (MinIO)",
    ...(minioProgram === undefined && { skip: NO_MINIO }),
    start: () => startMinio(minioProgram ?? "minio"),
  },
];

function openStore(t: TestContext, options: Omit<S3ObjectStoreOptions, "log">): S3ObjectStore {
  const store = new S3ObjectStore({ log: silentLogger, ...options });
  t.after(() => store.close());
  return store;
}

// Most of their time is that of pauses and time-outs.
for (const { name, skip, start } of servers)
  describe(name, { skip: skip ?? false, concurrency: 3 }, () => describeS3(name, start));

function describeS3(name: string, start: () => Promise<S3Server>): void {
  let server: S3Server | undefined;
  before(async () => {
    server = await start();
  });
  after(() => server?.close());
  const theServer = () => {
    assert.ok(server);
    return server;
  };
  const onServer = (what: string, run: (t: TestContext) => Promise<void>) => test(`${name}: ${what}`, run);

  describeObjectStore(name, {
    open: async (t) => openStore(t, { ...theServer(), bucket: await makeBucket(theServer()) }),
  });

  /** One store that speaks to the server itself, one by way of the proxy. */
  async function openBoth(t: TestContext) {
    const bucket = await makeBucket(theServer());
    const proxy = await TcpProxy.start(t, theServer().port);
    const direct = openStore(t, { ...theServer(), bucket });
    const proxied = openStore(t, { ...theServer(), bucket, endpoint: proxy.url, timeouts: SHORT_TIMEOUTS });
    return { bucket, proxy, direct, proxied };
  }

  const calls: Record<string, (store: S3ObjectStore) => Promise<unknown>> = {
    put: (store) => store.put("a/new", Buffer.from("new")),
    get: async (store) => bytesOf(await got(store.get("a/old"))),
    head: (store) => store.head("a/old"),
    list: (store) => keysOf(store, "a/"),
    delete: (store) => store.delete(["a/gone"]),
    check: (store) => store.check(),
  };
  const faults: readonly Fault[] = [
    { kind: "reset" },
    { kind: "unavailable" },
    { kind: "cut-request", afterBytes: 30 },
    { kind: "cut-answer", afterBytes: 10 },
  ];
  for (const [call, run] of Object.entries(calls)) {
    onServer(`${call} survives three faults of the network and gives up at the fourth`, async (t) => {
      const { bucket, proxy, direct, proxied } = await openBoth(t);
      await direct.put("a/old", Buffer.from("old"));
      proxy.failNext({ kind: "reset" }, { kind: "unavailable" }, { kind: "cut-answer", afterBytes: 10 });
      await run(proxied);
      assert.equal(proxy.connectionCount, 4);
      await Promise.all(
        faults.map(async (fault) => {
          const proxy = await TcpProxy.start(t, theServer().port);
          const fresh = openStore(t, { ...theServer(), bucket, endpoint: proxy.url });
          proxy.failNext(fault, fault, fault, fault);
          await assert.rejects(run(fresh), isUnavailable, fault.kind);
          assert.equal(proxy.connectionCount, 4, fault.kind);
        }),
      );
    });
  }

  onServer("asks again when no answer comes in time", async (t) => {
    const { proxy, proxied } = await openBoth(t);
    proxy.failNext({ kind: "silent" });
    await proxied.put("a/b", Buffer.from("x"));
    assert.equal(proxy.connectionCount, 2);
  });

  onServer("waits for no page of a listing that nobody wants any more", async (t) => {
    const { bucket } = await openBoth(t);
    const proxy = await TcpProxy.start(t, theServer().port);
    const patient = openStore(t, { ...theServer(), bucket, endpoint: proxy.url });
    proxy.failNext({ kind: "silent" });
    const stop = new AbortController();
    const listing = Array.fromAsync(patient.list("", { signal: stop.signal }));
    while (proxy.connectionCount === 0) await setImmediate();
    const reason = new Error("enough");
    stop.abort(reason);
    await assert.rejects(listing, reason);
  });

  onServer("reads on where a body was cut", async (t) => {
    const { proxy, direct, proxied } = await openBoth(t);
    const bytes = randomBytes(8 * MIB);
    await direct.put("a/b", bytes);
    const cuts = [MIB, 2 * MIB, 100_000, 100_000, 100_000].map(
      (afterBytes) => ({ kind: "cut-answer", afterBytes }) as const,
    );
    proxy.failNext(...cuts);
    assert.ok(bytes.equals(await bytesOf(await got(proxied.get("a/b")))));
    assert.equal(proxy.connectionCount, cuts.length + 1);
    proxy.failNext({ kind: "reset" }, { kind: "cut-answer", afterBytes: 2 * MIB });
    const object = await got(proxied.get("a/b", { range: { first: MIB, last: 7 * MIB } }));
    assert.ok(bytes.subarray(MIB, 7 * MIB + 1).equals(await bytesOf(object)));
  });

  onServer("says so when the rest of a body never comes", async (t) => {
    const { proxy, direct, proxied } = await openBoth(t);
    await direct.put("a/b", randomBytes(8 * MIB));
    const object = await got(proxied.get("a/b"));
    await proxy.goDown();
    await assert.rejects(bytesOf(object), isUnavailable);
  });

  onServer("gives no bytes of another object to whoever reads one that is replaced", async (t) => {
    const { proxy, direct, proxied } = await openBoth(t);
    await direct.put("a/b", randomBytes(8 * MIB));
    proxy.failNext({ kind: "cut-answer", afterBytes: MIB });
    const object = await got(proxied.get("a/b"));
    await direct.put("a/b", randomBytes(8 * MIB));
    await assert.rejects(bytesOf(object), isUnavailable);
  });

  onServer("shows nothing of a large object whose parts do not get through, and ends its source", async (t) => {
    const { proxy, direct, proxied } = await openBoth(t);
    let isSourceEnded = false;
    async function* source() {
      try {
        for (let i = 0; ; i++) {
          if (i === 12) await proxy.goDown();
          yield randomBytes(MIB);
        }
      } finally {
        isSourceEnded = true;
      }
    }
    await assert.rejects(proxied.put("a/b", source()), isUnavailable);
    assert.ok(isSourceEnded);
    assert.deepEqual(await keysOf(direct, ""), []);
    await proxy.comeBack();
    const bytes = randomBytes(11 * MIB);
    proxy.failNext({ kind: "reset" }, { kind: "unavailable" }, { kind: "cut-request", afterBytes: 100 });
    assert.ok(await proxied.put("a/b", pieces(bytes)));
    assert.ok(bytes.equals(await bytesOf(await got(direct.get("a/b")))));
  });

  onServer("says what is wrong with bucket and keys", async (t) => {
    const bucket = await makeBucket(theServer());
    const noBucket = openStore(t, { ...theServer(), bucket: "not-there" });
    await assert.rejects(noBucket.check(), /There is no bucket not-there/);
    await assert.rejects(noBucket.put("a/b", Buffer.from("x")), /There is no bucket not-there/);
    await assert.rejects(noBucket.get("a/b"), /There is no bucket not-there/);
    const credentials = { accessKeyId: "a-stranger", secretAccessKey: "wrong-and-long-enough" };
    const stranger = openStore(t, { ...theServer(), bucket, credentials });
    await assert.rejects(stranger.check(), /refuses its keys/);
    await assert.rejects(stranger.put("a/b", Buffer.from("x")), /refuses its keys/);
    await assert.rejects(keysOf(stranger, ""), /refuses its keys/);
  });
}

test("s3 (MinIO): knows its own object again when the answer to a put on condition was lost", {
  skip: minioProgram === undefined ? NO_MINIO : false,
}, async (t) => {
  const server = await startMinio(minioProgram ?? "minio");
  t.after(() => server.close());
  const bucket = await makeBucket(server);
  const proxy = await TcpProxy.start(t, server.port);
  const store = openStore(t, { ...server, bucket, endpoint: proxy.url });
  // Finds out first that the server knows conditions, then loses the connection.
  assert.ok(await store.put("a/first", Buffer.from("x"), { ifAbsent: true }));
  for (const [key, body] of [
    ["a/small", Buffer.from("x")],
    ["a/large", randomBytes(80 * MIB)],
  ] as const) {
    const fresh = openStore(t, { ...server, bucket, endpoint: proxy.url });
    await fresh.put("a/probe", Buffer.from("x"), { ifAbsent: true });
    proxy.loseAnswersOf(key === "a/small" ? /^PUT \S*small/ : /^POST \S*large\?uploadId/);
    const put = await fresh.put(key, body, { ifAbsent: true });
    assert.equal(put?.sizeBytes, body.byteLength, key);
    assert.equal(put?.etag, (await store.head(key))?.etag);
    assert.equal(proxy.lostAnswerCount, 1);
    assert.equal(await fresh.put(key, body, { ifAbsent: true }), undefined);
  }
});

async function* pieces(bytes: Uint8Array) {
  for (let at = 0; at < bytes.byteLength; at += 300_000) yield bytes.subarray(at, at + 300_000);
}

function isUnavailable(error: unknown): boolean {
  return error instanceof DomainError && error.code === "UNAVAILABLE";
}
