import assert from "node:assert/strict";
import { test } from "node:test";
import { readMediaPlaylist } from "./media-playlist.ts";
import { checkStoredPlaylist } from "./media-rules.ts";

const WHOLE = `#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:4
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MEDIA-SEQUENCE:1
#EXT-X-MAP:URI="e-1.init.mp4"
#EXTINF:4.00000,
e-1.m4s
#EXT-X-ENDLIST
`;
const GROWING = WHOLE.replace("VOD", "EVENT").replace("#EXT-X-ENDLIST\n", "");

const rulesOf = (text: string) => [...new Set(checkStoredPlaylist(readMediaPlaylist(text)).map(({ rule }) => rule))];

test("finds nothing in the list of a film, whole or growing", () => {
  assert.deepEqual([rulesOf(WHOLE), rulesOf(GROWING)], [[], []]);
});

for (const [what, broken, rule] of [
  ["ends as an EVENT", WHOLE.replace("VOD", "EVENT"), "H20"],
  ["is VOD and still grows", GROWING.replace("EVENT", "VOD"), "H20"],
  ["says no type", WHOLE.replace("#EXT-X-PLAYLIST-TYPE:VOD\n", ""), "H20"],
  ["has lost its beginning", WHOLE.replace("SEQUENCE:1", "SEQUENCE:2"), "H20"],
  ["has a date", WHOLE.replace("#EXTINF", "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z\n#EXTINF"), "H20"],
  ["holds readers back", WHOLE.replace("#EXT-X-MAP", "#EXT-X-SERVER-CONTROL:HOLD-BACK=12.0\n#EXT-X-MAP"), "H20"],
  ["breaks its target", WHOLE.replace("4.00000", "4.60000"), "H12"],
] as const) {
  test(`sees ${rule} broken by a list that ${what}`, () => {
    assert.ok(rulesOf(broken).includes(rule), rulesOf(broken).join());
  });
}
