import type { Player, Quality } from "./player.ts";

/** What a viewer chose, as people see it: ids are a player's own, and the next one has others. */
export class Wishes {
  #quality: Quality | undefined;
  #audioLabel: string | undefined;

  /** `auto` wishes for nothing. */
  choose(player: Player, qualityId: string): void {
    this.#quality = player.qualities.find(({ id }) => id === qualityId);
    player.choose(qualityId);
  }

  chooseAudio(player: Player, trackId: string): void {
    this.#audioLabel = player.audioTracks.find(({ id }) => id === trackId)?.label;
    player.chooseAudio(trackId);
  }

  /** Lets a player do as was chosen, as far as it can: when it is new, and when what it offers is another. */
  grant(player: Player): void {
    const quality = this.#quality && mostAlike(player.qualities, this.#quality);
    if (quality && player.choice === "auto") player.choose(quality.id);
    const track = player.audioTracks.find(({ label }) => label === this.#audioLabel);
    if (track && !track.isChosen) player.chooseAudio(track.id);
  }
}

/** Of those that people know by the same name, the one whose bit rate is nearest. */
function mostAlike(qualities: readonly Quality[], wish: Quality): Quality | undefined {
  const distance = ({ bitrateBps }: Quality) => Math.abs(bitrateBps - wish.bitrateBps);
  return qualities.filter(({ label }) => label === wish.label).toSorted((a, b) => distance(a) - distance(b))[0];
}
