import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { DomainError } from "../core/errors.ts";
import { type ConfigSources, describeConfig, loadConfig } from "./config.ts";
import { NAMED_SETTINGS } from "./settings.ts";

type Files = Partial<Record<"headwater.toml" | ".env" | "other.toml", string>>;

/** Loads from a directory that holds `files` alone. */
async function load(sources: Partial<ConfigSources> = {}, files: Files = {}) {
  const directory = await mkdtemp(join(tmpdir(), "headwater-config-"));
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
    return await loadConfig({ argv: [], env: {}, directory, ...sources });
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function problemOf(sources: Partial<ConfigSources>, files: Files = {}): Promise<string> {
  const problem = await load(sources, files).then(
    () => assert.fail("the configuration was accepted"),
    (thrown: unknown) => thrown,
  );
  assert.ok(problem instanceof DomainError);
  assert.equal(problem.code, "INVALID_CONFIG");
  assert.doesNotMatch(problem.message, /\n/);
  return problem.message;
}

test("starts from the defaults of the documents", async () => {
  const config = await load({ directory: "/srv" });
  assert.equal(config.http.port, 8080);
  assert.equal(config.rtmp.port, 1935);
  assert.equal(config.server.host, "0.0.0.0");
  assert.equal(config.server.dataDir, "/srv/data");
  assert.equal(config.rtmp.maxBitrateBps, 20_000_000);
  assert.equal(config.access.adminToken, undefined);
  assert.deepEqual(
    config.transcode.ladder.map(({ id, height, videoBps, audioBps }) => [id, height, videoBps, audioBps]),
    [
      ["high", 1080, 3_500_000, 128_000],
      ["medium", 720, 2_000_000, 128_000],
      ["low", 480, 1_000_000, 96_000],
    ],
  );
});

test("takes `none`, or an empty list, where nothing may be wanted", async () => {
  const none = await load({ env: { HEADWATER_VIDEO_ARTIFACTS: "none" } });
  assert.deepEqual(none.video.artifacts, []);
  assert.deepEqual((await load({}, { "headwater.toml": "[video]\nartifacts = []\n" })).video.artifacts, []);
  const some = await load({ argv: ["--video-artifacts", "preview, poster"] });
  assert.deepEqual(some.video.artifacts, ["preview", "poster"]);
  assert.match(
    await problemOf({ argv: ["--video-artifacts", "none,poster"] }),
    /video-artifacts.*`none`, or of poster/,
  );
  assert.match(await problemOf({ argv: ["--video-profiles", "none"] }), /video-profiles/);
});

test("lets the later layer win: file, .env, variable, flag", async () => {
  const files = {
    "headwater.toml":
      '[http]\nport = 1\n[rtmp]\nport = 1\n[live]\nreconnect_window = "1s"\nmax_concurrent_streams = 1\n',
    ".env": "HEADWATER_HTTP_PORT=2\nHEADWATER_RTMP_PORT=2\nHEADWATER_LIVE_RECONNECT_WINDOW=2s\nOTHER=x\n",
  };
  const env = { HEADWATER_HTTP_PORT: "3", HEADWATER_RTMP_PORT: "3", PATH: "/bin" };
  const config = await load({ env, argv: ["--http-port", "4"] }, files);
  assert.equal(config.http.port, 4);
  assert.equal(config.rtmp.port, 3);
  assert.equal(config.live.reconnectWindowMs, 2000);
  assert.equal(config.live.maxConcurrentStreams, 1);
});

test("reads every form of a flag", async () => {
  const argv = ["--transcode-enabled=false", "--packaging-low-latency", "--rtmp-max-message", "2 MiB", "--host=::"];
  const config = await load({ argv });
  assert.equal(config.transcode.enabled, false);
  assert.equal(config.packaging.lowLatency, true);
  assert.equal(config.rtmp.maxMessageBytes, 2 ** 21);
  assert.equal(config.server.host, "::");
});

test("reads a ladder from TOML and as JSON, with units", async () => {
  const box = { width: 320, height: 180, profile: "main", level: "3.0" };
  const rates = { video_bitrate: "250kbps", audio_bitrate: "64kbps" };
  const json = JSON.stringify([{ name: "tiny", ...box, ...rates }]);
  const toml = `[[transcode.ladder]]\n${Object.entries({ name: "tiny", ...box, ...rates })
    .map(([key, value]) => `${key} = ${JSON.stringify(value)}`)
    .join("\n")}`;
  const expected = [{ id: "tiny", ...box, videoBps: 250_000, audioBps: 64_000 }];
  assert.deepEqual((await load({}, { "headwater.toml": toml })).transcode.ladder, expected);
  assert.deepEqual((await load({ env: { HEADWATER_TRANSCODE_LADDER: json } })).transcode.ladder, expected);
  assert.match(
    await problemOf({ env: { HEADWATER_TRANSCODE_LADDER: "[" } }),
    /^transcode\.ladder = .* must be 1 to 8 rungs/,
  );
  const twice = JSON.stringify([
    { name: "tiny", ...box, ...rates },
    { name: "tiny", ...box, ...rates, height: 90 },
  ]);
  assert.match(await problemOf({ env: { HEADWATER_TRANSCODE_LADDER: twice } }), /a name of its own/);
});

test("names setting, value, range and place of a bad value", async () => {
  assert.equal(
    await problemOf({ env: { HEADWATER_HTTP_PORT: "99999" } }),
    'http.port = "99999" from HEADWATER_HTTP_PORT: must be a port from 0 to 65535 (0 takes a free one)',
  );
  assert.equal(
    await problemOf({}, { "headwater.toml": "[packaging]\npart_duration = 500" }),
    "packaging.part_duration = 500 from headwater.toml: must be a duration from 200ms to 2s",
  );
  assert.equal(
    await problemOf({}, { ".env": "HEADWATER_ENCODER=x265" }),
    'transcode.encoder = "x265" from HEADWATER_ENCODER in .env: must be one of libx264, h264_vaapi, h264_nvenc, h264_qsv',
  );
  assert.equal(
    await problemOf({ argv: ["--packaging-part-duration=2s", "--packaging-segment-duration=1s"] }),
    "packaging.part_duration = 2000ms: must not be above packaging.segment_duration (1000ms)",
  );
});

test("refuses names that no setting has", async () => {
  assert.match(await problemOf({}, { "headwater.toml": "[http]\nprot = 1" }), /^http\.prot in headwater\.toml/);
  assert.match(await problemOf({}, { "headwater.toml": "[htp]\nport = 1" }), /^htp in headwater\.toml/);
  assert.match(await problemOf({ env: { HEADWATER_HTP_PORT: "1" } }), /^HEADWATER_HTP_PORT in the environment/);
  assert.match(await problemOf({ argv: ["--prot", "1"] }), /^--prot in the command line/);
  assert.match(await problemOf({ argv: ["8080"] }), /^8080 in the command line/);
  assert.match(await problemOf({ argv: ["--http-port"] }), /^--http-port: needs a value/);
});

test("overlooks empty variables and those that Kubernetes sets for a service of our name", async () => {
  const env = {
    HEADWATER_PUBLIC_URL: "",
    HEADWATER_PORT: "tcp://10.0.0.1:8080",
    HEADWATER_SERVICE_HOST: "10.0.0.1",
    HEADWATER_PORT_8080_TCP_ADDR: "10.0.0.1",
  };
  assert.equal((await load({ env })).server.publicUrl, undefined);
});

test("reads the file that --config names, and insists on it", async () => {
  const config = await load({ argv: ["--config", "other.toml"] }, { "other.toml": "[http]\nport = 7" });
  assert.equal(config.http.port, 7);
  assert.match(await problemOf({ argv: ["--config", "missing.toml"] }), /missing\.toml: cannot be read \(ENOENT\)$/);
  assert.match(await problemOf({}, { "headwater.toml": "[http\n" }), /^headwater\.toml: /);
});

test("takes a public URL without the slash at its end, and no other scheme", async () => {
  const config = await load({ env: { HEADWATER_PUBLIC_URL: "https://live.example/base/" } });
  assert.equal(config.server.publicUrl, "https://live.example/base");
  assert.match(
    await problemOf({ env: { HEADWATER_PUBLIC_URL: "ftp://live.example" } }),
    /an http:\/\/ or https:\/\/ URL/,
  );
});

test("never shows a secret", async () => {
  const config = await load({ env: { HEADWATER_ADMIN_TOKEN: "hush-hush" } });
  assert.equal(config.access.adminToken, "hush-hush");
  assert.doesNotMatch(JSON.stringify(describeConfig(config)), /hush/);
  assert.doesNotMatch(await problemOf({ env: { HEADWATER_ADMIN_TOKEN: "hush hush" } }), /hush/);
});

test("is frozen to the last rung", async () => {
  const config = await load();
  assert.ok(Object.isFrozen(config) && Object.isFrozen(config.http) && Object.isFrozen(config.transcode.ladder[0]));
});

test("gives every setting a variable, a flag and a path of its own, and a default that is valid", () => {
  for (const name of ["variable", "flag", "path"] as const) {
    assert.equal(new Set(NAMED_SETTINGS.map((named) => named[name])).size, NAMED_SETTINGS.length);
  }
  for (const { setting, path } of NAMED_SETTINGS) {
    const written =
      setting.fallback === undefined || path === "transcode.ladder" ? undefined : setting.write(setting.fallback);
    if (written !== undefined) assert.deepEqual(setting.schema.parse(written), setting.fallback, path);
  }
});
