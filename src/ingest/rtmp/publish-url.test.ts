import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { appName, findStreamKey } from "./publish-url.ts";

const KEY = "sk_Zm9vYmFy-_1";

const ADDRESSES: readonly { who: string; app: string; tcUrl: string; streamName: string }[] = [
  { who: "OBS, ffmpeg, rtmp2sink", app: "live", tcUrl: "rtmp://host:1935/live", streamName: KEY },
  { who: "a slash behind the app", app: "live/", tcUrl: "rtmp://host/live/", streamName: KEY },
  { who: "librtmp without tcUrl", app: "live", tcUrl: "", streamName: KEY },
  { who: "a connect without app", app: "", tcUrl: "rtmp://host/live", streamName: KEY },
  { who: "OBS with the key as query", app: "live", tcUrl: "rtmp://host/live", streamName: `?key=${KEY}` },
  { who: "OBS multi-rendition", app: "live", tcUrl: "rtmp://host/live", streamName: `cam?key=${KEY}&bandwidthtest=1` },
  { who: "a password", app: "live", tcUrl: "rtmp://host/live", streamName: `cam?user=u&pass=${KEY}` },
  { who: "a token", app: "live", tcUrl: "rtmp://host/live", streamName: `cam?token=${KEY}` },
  {
    who: "ffmpeg with a query and no name",
    app: `live?key=${KEY}`,
    tcUrl: `rtmp://host/live?key=${KEY}`,
    streamName: "",
  },
  { who: "a password in the app", app: `live?user=u&pass=${KEY}`, tcUrl: "rtmp://host/live", streamName: "cam" },
  { who: "a query in tcUrl alone", app: "live", tcUrl: `rtmp://host/live?key=${KEY}`, streamName: "cam" },
  { who: "everything in the app", app: `live/${KEY}`, tcUrl: `rtmp://host/live/${KEY}`, streamName: "" },
  { who: "everything in tcUrl", app: "live", tcUrl: `rtmp://host/live/${KEY}`, streamName: "" },
  { who: "a client that sends the whole path", app: "live", tcUrl: "rtmp://host/live", streamName: `live/${KEY}` },
  { who: "FMS application instances", app: "live/_definst_", tcUrl: "rtmp://host/live/_definst_", streamName: KEY },
  { who: "Neko's trailing quote", app: "live", tcUrl: "rtmp://host/live", streamName: `${KEY}"` },
  { who: "Neko's quotes", app: '"live', tcUrl: '"rtmp://host/live', streamName: `${KEY}'` },
  { who: "rtmpsink's trailing space", app: "live", tcUrl: "rtmp://host/live", streamName: `${KEY} ` },
  { who: "two question marks", app: "live", tcUrl: "rtmp://host/live", streamName: `cam?a=b?key=${KEY}` },
  { who: "a key with a stray query", app: "live", tcUrl: "rtmp://host/live", streamName: `${KEY}?bandwidthtest=true` },
  { who: "IPv6", app: "live", tcUrl: "rtmp://[::1]:1935/live", streamName: KEY },
];

for (const { who, ...address } of ADDRESSES) {
  test(`finds app and key of ${who}`, () => {
    assert.equal(appName(address.app, address.tcUrl), "live");
    assert.equal(findStreamKey(address), KEY);
  });
}

test("finds no key where there is none", () => {
  assert.equal(findStreamKey({ app: "live", tcUrl: "rtmp://host/live", streamName: "" }), undefined);
  assert.equal(findStreamKey({ app: "live", tcUrl: "rtmp://host/live", streamName: "?key=" }), undefined);
  assert.equal(findStreamKey({ app: "live", tcUrl: "", streamName: "k".repeat(300) }), undefined);
});

test("reads other applications as what they are", () => {
  assert.equal(appName("vod", "rtmp://host/vod"), "vod");
  assert.equal(appName("lively", ""), "lively");
  assert.equal(appName("", "rtmp://host"), "");
  assert.equal(appName("", ""), "");
});

test("takes any text for an address", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), (app, tcUrl, streamName) => {
      const key = findStreamKey({ app, tcUrl, streamName });
      assert.ok(key === undefined || key.length > 0);
      assert.equal(typeof appName(app, tcUrl), "string");
    }),
  );
});
