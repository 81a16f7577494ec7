import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { describe, it } from "node:test";
import { startPacedOrigin } from "../paced-origin.ts";
import { type Fault, type ProxiedAnswer, startFaultyProxy } from "./faulty-proxy.ts";
import { runConformance } from "./run-conformance.ts";

describe("runConformance", { concurrency: true }, () => {
  it("finds nothing in a live stream, and looks at all of it", async (t) => {
    const { masterUrl } = await startPacedOrigin(t);
    const { seen, text, violations } = await runConformance({ masterUrl, untilSegments: 4, slackMs: 5000 });
    assert.equal(violations.report(), "", text);
    assert.equal(seen.renditions, 2);
    for (const [what, count] of Object.entries(seen)) assert.ok(count > 0, `${what}: ${text}`);
  });

  it("finds nothing in a stream without low latency, nor in its end", async (t) => {
    const { masterUrl, end } = await startPacedOrigin(t, { isLowLatency: false });
    const signal = AbortSignal.timeout(10_000);
    const run = runConformance({ masterUrl, forMs: 10_000, signal, slackMs: 5000 });
    setTimeout(end, 2500);
    const { seen, text, violations } = await run;
    assert.equal(violations.report(), "", text);
    assert.ok(!signal.aborted && seen.segments > 20, text);
  });

  it("finds nothing but the pause when the publisher was away", async (t) => {
    const { masterUrl, reconnect } = await startPacedOrigin(t);
    const run = runConformance({ masterUrl, untilSegments: 6 });
    setTimeout(() => reconnect(600), 1500);
    const { text, violations } = await run;
    // Nobody can list media that is not there, and the packager announces none while the publisher is away.
    const ofPause = ["H21", "L10", "L11"];
    assert.deepEqual(
      violations.rules.filter((rule) => !ofPause.includes(rule)),
      [],
      text,
    );
  });
});

const isPlaylist = (path: string) => /playlist\.m3u8/.test(path);
const isIframes = (path: string) => /iframes\.m3u8/.test(path);
const isPart = (path: string) => /-\d+\.\d+\.m4s/.test(path);
const isSegment = (path: string) => /-\d+\.m4s/.test(path);
const isInit = (path: string) => path.endsWith(".init.mp4");

type Spoil = NonNullable<Fault["spoil"]>;
type Faults = Readonly<Record<string, Fault>>;

/** A fault in the answers to those paths that `isMeant` takes. */
function where(isMeant: (path: string) => boolean, spoil: (...args: Parameters<Spoil>) => void): Fault {
  return {
    spoil: (...args) => {
      if (isMeant(args[0])) spoil(...args);
    },
  };
}

function everywhere(spoil: (answer: ProxiedAnswer, request: IncomingMessage) => void): Fault {
  return { spoil: (_path, answer, request) => spoil(answer, request) };
}

function without(isMeant: (path: string) => boolean, header: string): Fault {
  return where(isMeant, (_path, { headers }) => void delete headers[header]);
}

function having(isMeant: (path: string) => boolean, header: string, value: string): Fault {
  return where(isMeant, (_path, { headers }) => {
    headers[header] = value;
  });
}

function edited(isMeant: (path: string) => boolean, found: RegExp, replacement: string): Fault {
  return where(isMeant, (_path, answer) => {
    answer.body = Buffer.from(answer.body.toString().replace(found, replacement));
  });
}

/** From the second time that a path is asked for (or only the first time). */
function repeated(isMeant: (path: string) => boolean, isFirst: boolean, spoil: (answer: ProxiedAnswer) => void): Fault {
  const seen = new Set<string>();
  return where(isMeant, (path, answer) => {
    if (seen.has(path) !== isFirst) spoil(answer);
    seen.add(path);
  });
}

function flip(answer: ProxiedAnswer): void {
  const last = answer.body.length - 1;
  answer.body = Buffer.from(answer.body);
  answer.body.writeUInt8(answer.body.readUInt8(last) ^ 0xff, last);
}

function shiftDecodeTime({ body }: ProxiedAnswer, ticks = 7n): void {
  const at = body.indexOf("tfdt") + 8;
  body.writeBigUInt64BE(body.readBigUInt64BE(at) + ticks, at);
}

const headers = (): Faults => ({
  H2: having(isPlaylist, "content-type", "text/plain"),
  H3: having(isPart, "content-type", "text/plain"),
  N14: without(isInit, "access-control-allow-origin"),
  N13: having(isPart, "access-control-expose-headers", "Age"),
  L38: having(isPart, "age", "3"),
  L36: without(isPlaylist, "cache-control"),
  H32: without(isInit, "content-length"),
  N9: having(isSegment, "cache-control", "max-age=60"),
  H4: without(isPlaylist, "vary"),
  N12: everywhere(({ status, headers }) => {
    if (status === 404) headers["cache-control"] = "max-age=60";
  }),
  L37: everywhere(({ status, headers }) => {
    if (status === 400) headers["cache-control"] = "max-age=1";
  }),
  D14: having((path) => path.endsWith(".mpd"), "etag", '"same"'),
  D17: without((path) => path === "/time", "cache-control"),
});

const answers = (): Faults => ({
  L20: { redirect: (path) => path.replace("?_HLS_part=1", "") },
  L21: { redirect: (path) => path.replace("&_HLS_part=900", "") },
  L22: where(
    (path) => path.includes("no-such-stream"),
    (_path, answer) => {
      answer.status = 200;
    },
  ),
  L29: where(
    (path) => path.includes("no-such-part"),
    (_path, answer) => {
      answer.status = 500;
    },
  ),
  H19: repeated(isSegment, false, (answer) => {
    if (answer.status === 200) answer.status = 404;
  }),
  N5: everywhere((answer) => {
    if (answer.status === 304) answer.status = 200;
  }),
  N6: having(isPlaylist, "etag", '"one"'),
  H38: edited((path) => path.endsWith("master.m3u8"), /BANDWIDTH=\d+/g, "BANDWIDTH=9"),
  O1: edited((path) => path.endsWith(".mpd"), /\/e1-\$/g, "/e2-$"),
  D4: edited((path) => path.endsWith(".mpd"), /\/e1-\$/g, "/e2-$"),
});

const ranges = (): Faults => ({
  N1: everywhere((answer) => {
    if (answer.status === 206) answer.body = answer.body.subarray(1);
  }),
  N2: everywhere(({ status, headers }) => {
    if (status === 416) delete headers["content-range"];
  }),
  N4: everywhere((answer, request) => {
    if (request.headers["if-range"] !== undefined) answer.status = 206;
  }),
  N7: everywhere((answer, { method }) => {
    if (method === "HEAD") delete answer.headers["content-length"];
  }),
  N8: everywhere(({ status, headers }, { url = "" }) => {
    if (status === 200 && isSegment(url) && headers["content-length"] === undefined) headers.etag = '"growing"';
  }),
  D24: everywhere((answer, { url = "" }) => {
    if (isSegment(url) && answer.headers["content-length"] === undefined && answer.body.length > 0) flip(answer);
  }),
});

const media = (): Faults => ({
  C1: where(
    (path) => path.includes("audio") && isInit(path),
    (_path, { body }) => void body.write("free", 4),
  ),
  C2: where(
    (path) => /\.4\.m4s/.test(path),
    (_path, answer) => {
      answer.body = answer.body.subarray(0, 20);
    },
  ),
  C3: where(
    (path) => /\.[13]\.m4s/.test(path),
    (_path, answer) => shiftDecodeTime(answer),
  ),
  L8: where(
    (path) => isSegment(path),
    (_path, answer) => flip(answer),
  ),
  L11: repeated(isPart, false, flip),
  H14: edited(isPlaylist, /DURATION=0\.20000/g, "DURATION=0.19900"),
});

const iframes = (): Faults => ({
  H50: edited(isIframes, /BYTERANGE:(\d+)@/g, "BYTERANGE:1$1@"),
  H26: edited(isIframes, /DATE-TIME:20(\d\d)/g, "DATE-TIME:19$1"),
});

const pictures = (): Faults => ({
  H25: repeated(
    (path) => isSegment(path) && Number(/-(\d+)\.m4s/.exec(path)?.[1]) % 2 === 0,
    true,
    (answer) => {
      if (answer.status === 206 && answer.body.includes("tfdt")) shiftDecodeTime(answer, 90_000n);
    },
  ),
  L17: { redirect: (path) => path.replace(/(iframes\.m3u8)\?_HLS_msn=\d+$/, "$1") },
  H38: edited((path) => path.endsWith("master.m3u8"), /(I-FRAME-STREAM-INF:BANDWIDTH=)\d+/g, "$19"),
});

const blocking = (): Faults => ({
  L18: { redirect: (path) => path.replace(/\?_HLS_msn=\d+&_HLS_part=\d+/, "") },
  L17: { redirect: (path) => path.replace(/\?_HLS_msn=\d+$/, "") },
  L28: repeated(
    (path) => /\.[23]\.m4s/.test(path),
    true,
    (answer) => {
      answer.status = 404;
    },
  ),
  H8: where(
    (path) => path.includes("audio") && isInit(path),
    (_path, answer) => {
      answer.isCut = true;
    },
  ),
});

describe("a fault over HTTP", { concurrency: true }, () => {
  for (const [name, makeFaults] of Object.entries({ headers, answers, ranges, media, iframes, pictures, blocking })) {
    const rules = Object.keys(makeFaults());
    it(`is seen in ${name}: ${rules.join(", ")}`, async (t) => {
      const { masterUrl } = await startPacedOrigin(t);
      const proxied = await startFaultyProxy(t, masterUrl, Object.values(makeFaults()));
      const { violations } = await runConformance({ masterUrl: proxied, forMs: 4500 });
      for (const rule of rules) assert.ok(violations.rules.includes(rule), `no ${rule}\n${violations.report()}`);
    });
  }
});
