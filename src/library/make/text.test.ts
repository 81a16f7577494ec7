import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { makeTools, openSource, sourceDirectory, writeSource } from "../../../test/support/source-files.ts";
import { makeText } from "./text.ts";

const directory = await sourceDirectory();
const tools = await makeTools();
const at = (name: string) => join(directory, name);

const SRT =
  "1\n00:00:00,500 --> 00:00:01,500\nGrüße\n\n2\n00:00:02,000 --> 00:00:03,000\n<i>leaning</i>\nin two lines\n";

for (const [name, codec, args] of [
  ["plain.mp4", "mov_text", []],
  ["plain.mkv", "subrip", []],
  ["late.mkv", "ass", ["-output_ts_offset", "1.4"]],
] as const) {
  test(`makes WebVTT of ${codec} that begins with the picture`, { timeout: 60_000 }, async () => {
    await writeFile(at("words.srt"), SRT);
    const picture = ["-f", "lavfi", "-i", "testsrc2=size=64x36:rate=25:duration=3"];
    const path = await writeSource(
      ...picture,
      "-i",
      at("words.srt"),
      "-c:v",
      "mpeg4",
      "-c:s",
      codec,
      ...args,
      at(name),
    );
    const { source, media } = await openSource(tools, path);
    const [text] = media.text;
    assert.ok(text?.isText);
    const made = await makeText(tools, { source, text, signal: new AbortController().signal });
    const expected =
      "WEBVTT\n\n00:00:00.500 --> 00:00:01.500\nGrüße\n\n00:00:02.000 --> 00:00:03.000\n<i>leaning</i>\nin two lines\n";
    assert.equal(Buffer.from(made).toString(), expected);
  });
}
