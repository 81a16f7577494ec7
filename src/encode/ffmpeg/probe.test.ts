import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { findProgram, parseEncoders, parseVersion, probeFfmpeg } from "./probe.ts";

const SEARCH_PATH = process.env.PATH ?? "";

test("finds ffmpeg and what it can do", async () => {
  const probe = await probeFfmpeg({ command: "ffmpeg", searchPath: SEARCH_PATH, requiredEncoders: ["libx264", "aac"] });
  assert.match(probe.path, /^\/.*ffmpeg$/);
  assert.match(probe.version, /\d/);
  assert.ok(probe.encoders.has("mjpeg"));
});

test("names the encoder that is missing", async () => {
  const asked = probeFfmpeg({ command: "ffmpeg", searchPath: SEARCH_PATH, requiredEncoders: ["aac", "h999"] });
  await assert.rejects(asked, { code: "FFMPEG_MISSING", message: /has no encoder h999$/ });
});

test("says that there is no ffmpeg", async () => {
  const asked = probeFfmpeg({ command: "ffmpeg", searchPath: "/nowhere", requiredEncoders: [] });
  await assert.rejects(asked, { code: "FFMPEG_MISSING", message: "ffmpeg was not found" });
  assert.equal(await findProgram("/nowhere/ffmpeg", SEARCH_PATH), undefined);
});

test("refuses one that is too old, and a program that is something else", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "headwater-probe-"));
  t.after(() => rm(directory, { recursive: true }));
  const pretend = async (script: string) => {
    await writeFile(join(directory, "ffmpeg"), `#!/bin/sh\n${script}\n`);
    await chmod(join(directory, "ffmpeg"), 0o755);
    return probeFfmpeg({ command: "ffmpeg", searchPath: directory, requiredEncoders: [] });
  };
  await assert.rejects(pretend("echo ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright"), /4\.4\.2.*5\.1 or newer/);
  await assert.rejects(pretend("exit 3"), { code: "FFMPEG_MISSING" });
  assert.equal((await pretend("echo ffmpeg version N-120061-gabc")).version, "N-120061-gabc");
});

test("reads what ffmpeg prints", () => {
  assert.equal(parseVersion("ffmpeg version 5.1.9-0+deb12u1 Copyright (c) 2000-2026"), "5.1.9-0+deb12u1");
  assert.equal(parseVersion("something else"), "");
  const encoders = parseEncoders("Encoders:\n V..... = Video\n ------\n V....D libx264  H.264\n A....D aac  AAC\n");
  assert.deepEqual([...encoders], ["libx264", "aac"]);
});
