import assert from "node:assert/strict";
import { test } from "node:test";
import { embedCode, ffmpegLine, tokenIn, watchUrl } from "./snippets.ts";

test("the ffmpeg line ends at server and key", () => {
  assert.match(ffmpegLine("rtmp://live.example/live", "sk_a"), / -f flv "rtmp:\/\/live\.example\/live\/sk_a"$/);
});

test("the embed code cannot be broken out of by a stream's name", () => {
  const code = embedCode("https://tv.example", "studio-1", '"><script>alert(1)</script> & more');
  assert.equal(
    code,
    '<iframe src="https://tv.example/watch/studio-1?embed=1" title="&quot;>&lt;script>alert(1)&lt;/script> &amp; more" ' +
      'style="width:100%;aspect-ratio:16/9;border:0" allow="autoplay; fullscreen; picture-in-picture" allowfullscreen></iframe>',
  );
});

test("the watch link escapes what could not stand in a path", () => {
  assert.equal(watchUrl("http://h", "a/b"), "http://h/watch/a%2Fb");
});

test("a token is found alone, in a studio link, and in the line that the server printed", () => {
  assert.equal(tokenIn("  hw_abc  "), "hw_abc");
  assert.equal(tokenIn("http://localhost:8080/#token=hw_abc"), "hw_abc");
  assert.equal(tokenIn("Studio: http://localhost:8080/#token=hw%5Fabc (open once)"), "hw_abc");
  assert.equal(tokenIn("#token=%E0%A4%A"), "%E0%A4%A");
  assert.equal(tokenIn(""), "");
});
