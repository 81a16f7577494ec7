import assert from "node:assert/strict";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Settings, soon, spawnHeadwater, startHeadwater } from "./support/headwater.ts";
import { untilEnd } from "./support/logged-process.ts";
import { encodeTags, publishTags, publishWithFfmpeg } from "./support/publishers.ts";
import { readPresentation, rendition, untilPlaylist } from "./support/readers.ts";

let directory = "";
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "headwater-process-"));
});
after(() => rm(directory, { recursive: true, force: true }));

describe("a start that cannot be", { concurrency: 2 }, () => {
  /** Starts with settings that cannot work, and holds it to one clear line and an exit code. */
  async function refused(settings: Settings, sentence: RegExp, environment: NodeJS.ProcessEnv = {}): Promise<void> {
    const dataDir = await mkdtemp(join(directory, "data-"));
    const { code, stderr } = await untilEnd(spawnHeadwater({ "data-dir": dataDir, ...settings }, environment));
    assert.notEqual(code, 0);
    assert.match(stderr, sentence);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
  }

  for (const protocol of ["http", "rtmp"] as const) {
    test(`says that the port for ${protocol.toUpperCase()} is in use`, async () => {
      const taken = createServer().listen(0, "127.0.0.1");
      await once(taken, "listening");
      const address = taken.address();
      assert.ok(address !== null && typeof address === "object");
      const { port } = address;
      await refused({ [`${protocol}-port`]: `${port}` }, new RegExp(`^headwater: .*${port}.*in use`, "i"));
      taken.close();
    });
  }

  test("names a setting that is out of range, and where it was written", () =>
    refused({ "http-port": "70000" }, /^headwater: http.port = "70000" from --http-port: .*65535/));

  test("names a variable that there is not", () =>
    refused({}, /^headwater: HEADWATER_COLOUR in the environment: there is no such setting/, {
      HEADWATER_COLOUR: "red",
    }));

  test("names a data directory that cannot be written", async () => {
    const file = join(directory, "a-file");
    await writeFile(file, "");
    await refused(
      { "data-dir": join(file, "data") },
      /^headwater: The data directory .*a-file\/data cannot be written/,
    );
  });

  test("says that there is no ffmpeg", () => refused({}, /^headwater: ffmpeg was not found/, { PATH: directory }));

  test("says that an ffmpeg is too old", async () => {
    const old = join(directory, "old");
    await mkdir(old);
    await writeFile(join(old, "ffmpeg"), '#!/bin/sh\necho "ffmpeg version 4.4.2"\n');
    await chmod(join(old, "ffmpeg"), 0o755);
    await refused({}, /^headwater: .*ffmpeg 4\.4\.2; 5\.1 or newer is needed/, { PATH: `${old}:/bin:/usr/bin` });
  });
});

describe("a server that runs", () => {
  test("prints a link that logs one browser in once, and answers probes", async () => {
    await using server = await startHeadwater();
    const token = new URLSearchParams(new URL(server.studioLink).hash.slice(1)).get("token");
    const login = () =>
      server.get("/api/v1/login", {
        method: "POST",
        headers: { "content-type": "application/json", origin: server.httpUrl },
        body: JSON.stringify({ token }),
      });
    const [first, second] = [await login(), await login()];
    assert.equal(first.status, 200);
    assert.match(first.headers.get("set-cookie") ?? "", /HttpOnly; SameSite=Strict/);
    assert.equal(second.status, 401);

    assert.deepEqual(await (await server.get("/healthz")).json(), { status: "ok" });
    const readiness = await server.get("/readyz");
    const { checks } = (await readiness.json()) as { checks: { name: string; ready: boolean }[] };
    assert.deepEqual(
      checks.map((check) => [check.name, check.ready]),
      [
        ["catalog", true],
        ["jobs", true],
        ["store", true],
        ["ffmpeg", true],
      ],
    );
    const health = (await (await server.get("/health")).json()) as { status: string };
    assert.equal(health.status, "healthy");
    assert.equal((await server.get("/api/v1/streams")).status, 401);
  });

  test("blocks and counts those behind a trusted proxy each for themselves", async () => {
    const settings = { "http-trusted-proxies": "127.0.0.0/8", "observe-operations": "admin" };
    await using server = await startHeadwater({ settings });
    const ask = (address: string, token: string) => {
      const headers = { "x-forwarded-for": address, authorization: `Bearer ${token}` };
      return fetch(`${server.httpUrl}/api/v1/streams`, { headers });
    };
    for (let attempt = 0; attempt < 5; attempt++) await ask("198.51.100.1", "wrong");
    const blocked = await ask("198.51.100.1", "wrong");
    assert.equal(blocked.status, 429);
    assert.ok(Number(blocked.headers.get("retry-after")) > 60);
    assert.equal((await ask("198.51.100.2", "wrong")).status, 401);
    assert.equal((await server.get("/metrics")).status, 401);

    const stream = await server.createStream({ transcode: false });
    await using publisher = publishWithFfmpeg(stream.publishUrl);
    await stream.until("live", soon());
    for (const address of ["198.51.100.3", "198.51.100.4", "198.51.100.3"]) {
      await (await fetch(stream.hlsUrl, { headers: { "x-forwarded-for": address } })).text();
    }
    await stream.untilIt(({ viewers }) => viewers === 2, soon());
    await publisher.stop();
  });

  test("counts what it does in metrics", async () => {
    await using server = await startHeadwater();
    const stream = await server.createStream({ transcode: false, reconnect_window_ms: 30_000 });
    await publishTags(stream, await encodeTags({ seconds: 5 }));
    await stream.until("reconnecting", soon());
    await readPresentation(stream.hlsUrl);
    const text = await (await server.get("/metrics")).text();
    const values = new Map(
      text
        .split("\n")
        .filter((line) => line !== "" && !line.startsWith("#"))
        .map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
    );
    const sum = (name: RegExp) => [...values].reduce((total, [key, value]) => total + (name.test(key) ? value : 0), 0);
    assert.equal(sum(/active_streams/), 1, text);
    assert.equal(sum(/publishes.*outcome="granted"/), 1);
    assert.ok([...values.values()].every((value) => !Number.isNaN(value)));
    assert.doesNotMatch(text, new RegExp(stream.key));
  });
});

describe("an end", { concurrency: 2 }, () => {
  test("by SIGTERM ends the broadcast in order: viewers get the end of the playlist, exit code 0", async () => {
    await using server = await startHeadwater();
    const stream = await server.createStream({ qualities: ["240p"] });
    await using publisher = publishWithFfmpeg(stream.publishUrl, { size: "640x360" });
    await stream.until("live", soon());
    // Who was there before is waited for.
    await readPresentation(stream.hlsUrl);
    const viewer = untilPlaylist(stream.hlsUrl, "source", ({ isEnded }) => isEnded, soon());
    const ended = server.stop("SIGTERM");
    await viewer;
    const { code, stderr } = await ended;
    assert.equal(code, 0, stderr); // 1, had it taken longer than it may
    assert.notEqual((await publisher.ended).code, null, "the encoder was told");
  });

  test("by SIGTERM is seen by viewers who ask for the playlist a moment later", async () => {
    await using server = await startHeadwater();
    const stream = await server.createStream({ transcode: false });
    await using publisher = publishWithFfmpeg(stream.publishUrl);
    await stream.until("live", soon());
    await readPresentation(stream.hlsUrl);
    const ended = server.stop("SIGTERM");
    await server.untilLogged(({ msg }) => msg === "broadcast ended", soon());
    const presentation = await readPresentation(stream.hlsUrl);
    for (const { id, playlist } of presentation.renditions.values()) assert.equal(playlist.isEnded, true, id);
    assert.match(await (await fetch(stream.dashUrl)).text(), /type="static"/);
    assert.equal((await ended).code, 0);
    await publisher.ended;
  });

  test("by SIGTERM during the start is orderly", async () => {
    const programs = await mkdtemp(join(directory, "programs-"));
    const script = `#!/bin/sh\nmkdir "$0.once" && kill -TERM $PPID\nPATH="\${PATH#*:}" exec ffmpeg "$@"\n`;
    await writeFile(join(programs, "ffmpeg"), script, { mode: 0o755 });
    const dataDir = await mkdtemp(join(directory, "data-"));
    const server = spawnHeadwater({ "data-dir": dataDir }, { PATH: `${programs}:${process.env.PATH}` });
    const { code, signal, stdout, stderr } = await untilEnd(server);
    assert.deepEqual([code, signal], [0, null], `${stdout}${stderr}`);
    assert.match(`${stdout}${stderr}`, /"msg":"closed"/);
  });

  test("by a second signal is at once", async () => {
    await using server = await startHeadwater();
    const stream = await server.createStream({ transcode: false });
    await using publisher = publishWithFfmpeg(stream.publishUrl);
    await stream.until("live", soon());
    await readPresentation(stream.hlsUrl); // somebody watches: an orderly end takes its time
    server.kill("SIGTERM");
    await server.untilLogged(({ msg }) => msg === "broadcast ended", soon());
    const { code, stdout, stderr } = await server.stop("SIGTERM");
    assert.equal(code, 1);
    assert.doesNotMatch(`${stdout}${stderr}`, /"msg":"closed"/, "it did not wait for the orderly end");
    await publisher.stop("SIGKILL");
  });

  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    test(`by ${signal} during a broadcast: after a restart the encoder goes on at the same address`, async () => {
      const dataDir = await mkdtemp(join(directory, "restart-"));
      const body = { stream_id: "show", transcode: false, reconnect_window_ms: 30_000 };
      const tags = await encodeTags({ seconds: 9 });
      const seen = await (async () => {
        await using server = await startHeadwater({ dataDir });
        const stream = await server.createStream(body);
        await publishTags(stream, tags);
        await stream.until("reconnecting", soon());
        const source = rendition(await readPresentation(stream.hlsUrl), "source");
        await server.stop(signal);
        return { source, key: stream.key };
      })();
      await using server = await startHeadwater({ dataDir });
      const stream = server.existingStream("show", seen.key);
      await publishTags(stream, tags);
      await stream.until("reconnecting", soon());
      const { segments } = rendition(await readPresentation(stream.hlsUrl), "source");
      const last = seen.source.segments.at(-1)?.msn ?? Number.NaN;
      assert.ok((segments[0]?.msn ?? 0) > last, `${segments[0]?.msn} after ${last}`);
      const before = new Set(seen.source.segments.map(({ uri }) => uri));
      assert.ok(segments.every(({ uri }) => !before.has(uri)));
    });
  }
});

describe("peers that mean no good", () => {
  const PEERS = 1000;

  test("1,000 that say nothing, some garbage and a slow one leave room for a publisher", {
    timeout: 300_000,
  }, async () => {
    await using server = await startHeadwater({
      settings: { "rtmp-max-pending-connections": `${PEERS + 100}`, "rtmp-publish-timeout": "2min" },
    });
    const sockets: Socket[] = [];
    const open = async (): Promise<Socket> => {
      const socket = connect(server.rtmpPort, "127.0.0.1");
      socket.on("error", () => undefined); // a garbage peer is thrown out
      sockets.push(socket);
      await once(socket, "connect");
      return socket;
    };
    await Promise.all(Array.from({ length: PEERS }, open));
    const slow = await open();
    slow.write(Buffer.of(3, 0, 0)); // the first bytes of a handshake that never goes on
    for (const garbage of [Buffer.alloc(5000, 0xff), Buffer.from("GET / HTTP/1.1\r\n\r\n"), Buffer.alloc(4000, 3)]) {
      (await open()).write(garbage);
    }
    const stream = await server.createStream({ transcode: false });
    await using publisher = publishWithFfmpeg(stream.publishUrl);
    await stream.until("live", soon());
    await untilPlaylist(stream.hlsUrl, "source", ({ complete }) => complete.length >= 2, soon());
    const rssMiB = await residentMiB(server.pid);
    assert.ok(rssMiB < 400, `${rssMiB} MiB`);
    await publisher.stop();
    for (const socket of sockets) socket.destroy();
    assert.equal((await server.stop()).code, 0);
  });

  test("more than may wait are refused, and whoever says nothing is sent away in time", async () => {
    await using server = await startHeadwater({
      settings: { "rtmp-max-pending-connections": "2", "rtmp-publish-timeout": "1s" },
    });
    const closed = async () => {
      const socket = connect(server.rtmpPort, "127.0.0.1");
      socket.resume();
      await once(socket, "close");
    };
    await Promise.all([closed(), closed(), closed()]);
    const stream = await server.createStream({ transcode: false });
    await using publisher = publishWithFfmpeg(stream.publishUrl, { seconds: 3 });
    assert.equal((await publisher.ended).code, 0);
  });
});

async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}
