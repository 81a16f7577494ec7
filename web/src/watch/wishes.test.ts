import assert from "node:assert/strict";
import { test } from "node:test";
import type { AudioTrack, Player, Quality } from "./player.ts";
import { Wishes } from "./wishes.ts";

type Chooser = Pick<Player, "qualities" | "choice" | "audioTracks" | "choose" | "chooseAudio">;

/** A player that offers these and does as it is told. */
function playerOf(qualities: readonly Quality[], labels: readonly string[] = []) {
  let heard = "0";
  const player = {
    qualities,
    choice: "auto",
    get audioTracks(): readonly AudioTrack[] {
      return labels.map((label, index) => ({ id: `${index}`, label, isChosen: `${index}` === heard }));
    },
    choose(id: string) {
      player.choice = id;
    },
    chooseAudio(id: string) {
      heard = id;
    },
  } satisfies Chooser;
  return player as typeof player & Player;
}

const HLS = [
  { id: "0", label: "720p", bitrateBps: 4e6 },
  { id: "1", label: "720p", bitrateBps: 2e6 },
  { id: "2", label: "360p", bitrateBps: 1e6 },
];
const DASH = [
  { id: "source", label: "720p", bitrateBps: 4.1e6 },
  { id: "medium", label: "720p", bitrateBps: 2.1e6 },
];

test("the next player plays the quality and the sound that were chosen, by whatever ids", () => {
  const wishes = new Wishes();
  const [first, second] = [playerOf(HLS, ["English", "Deutsch"]), playerOf(DASH, ["Deutsch", "English"])];
  wishes.choose(first, "1");
  wishes.chooseAudio(first, "0");
  assert.deepEqual([first.choice, first.audioTracks[0]?.isChosen], ["1", true]);
  wishes.grant(second);
  assert.equal(second.choice, "medium");
  assert.deepEqual(second.audioTracks[1], { id: "1", label: "English", isChosen: true });
});

test("what a player does not offer is left to it, and waits", () => {
  const wishes = new Wishes();
  wishes.choose(playerOf(HLS), "2");
  const dash = playerOf(DASH);
  wishes.grant(dash);
  assert.equal(dash.choice, "auto");
  const hls = playerOf(HLS);
  wishes.grant(hls);
  assert.equal(hls.choice, "2");
});

test("who goes back to automatic choice stays there", () => {
  const wishes = new Wishes();
  const player = playerOf(HLS);
  wishes.choose(player, "0");
  wishes.choose(player, "auto");
  wishes.grant(player);
  assert.equal(player.choice, "auto");
});
