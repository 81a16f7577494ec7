import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type MediaPlaylist, readByteRange, readMediaPlaylist } from "./support/conformance/media-playlist.ts";
import { ffprobeJson } from "./support/ffmpeg-output.ts";
import { type Headwater, soon, startHeadwater } from "./support/headwater.ts";
import { publishWithFfmpeg } from "./support/publishers.ts";
import { fetchMultivariant, untilPlaylist } from "./support/readers.ts";

let server: Headwater;
before(async () => {
  server = await startHeadwater();
});
after(() => server?.[Symbol.asyncDispose]());

describe("an I-frame playlist of a live stream", () => {
  for (const [kind, body, ids] of [
    ["low latency", { qualities: ["240p"] }, ["source", "240p"]],
    ["plain HLS", { transcode: false, low_latency: false, segment_duration_ms: 2000 }, ["source"]],
  ] as const) {
    test(`names bytes that ffmpeg decodes to one picture each, with ${kind}`, async () => {
      const stream = await server.createStream({ ...body, reconnect_window_ms: 0 });
      await using publisher = publishWithFfmpeg(stream.publishUrl, { size: "640x360", gopFrames: 50 });
      await stream.until("live", soon());
      for (const id of ids) await untilPlaylist(stream.hlsUrl, id, ({ complete }) => complete.length >= 3, soon());
      const { iframeVariants } = await fetchMultivariant(stream.hlsUrl);
      assert.deepEqual(iframeVariants.map(({ uri }) => uri).sort(), ids.map((id) => `${id}/iframes.m3u8`).sort());
      for (const { uri } of iframeVariants) await assertOnePictureEach(new URL(uri, stream.hlsUrl).href);
      await publisher.stop();
    });
  }
});

async function assertOnePictureEach(url: string): Promise<void> {
  const { complete }: MediaPlaylist = readMediaPlaylist(await (await fetch(url)).text());
  assert.ok(complete.length >= 3, url);
  for (const { uri = "", map = "", byteRange } of complete) {
    const range = readByteRange(byteRange);
    assert.ok(range, `${url}: ${byteRange}`);
    const init = await bytesOf(new URL(map, url).href);
    const picture = await bytesOf(new URL(uri, url).href, `bytes=${range.offset}-${range.offset + range.length - 1}`);
    assert.equal(picture.length, range.length);
    const { frames } = (await ffprobeJson(Buffer.concat([init, picture]), "-show_frames")) as { frames: ProbedFrame[] };
    assert.deepEqual(
      frames.map(({ pict_type, key_frame }) => [pict_type, key_frame]),
      [["I", 1]],
      `${url}: ${uri} ${byteRange}`,
    );
  }
}

interface ProbedFrame {
  readonly pict_type: string;
  readonly key_frame: number;
}

async function bytesOf(url: string, range?: string): Promise<Buffer> {
  const answer = await fetch(url, range === undefined ? {} : { headers: { range } });
  assert.equal(answer.status, range === undefined ? 200 : 206, url);
  return Buffer.from(await answer.arrayBuffer());
}
