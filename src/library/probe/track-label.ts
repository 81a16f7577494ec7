/** What a track is told from others by. */
export interface TrackNames {
  readonly language: string | null;
  readonly title: string | null;
}

export interface TrackLabel {
  /** Stands in rendition ids behind the medium: empty for the first, `_fr`, `_fr2`, `_2` for others. */
  readonly tag: string;
  /** What people choose by: no two tracks of one language share it. */
  readonly label: string;
}

/** Names for tracks in their order, of which the first goes without a tag. `noun` is for one that says nothing of itself. */
export function labelTracks(tracks: readonly TrackNames[], noun: string): readonly TrackLabel[] {
  const tags = new Set<string>();
  const labels = new Set<string>();
  return tracks.map(({ language, title }, index) => {
    const tag = index === 0 ? "" : firstFree(tags, tagOf(language, index), (base, count) => `${base}${count}`);
    const label = firstFree(
      labels,
      title ?? languageName(language) ?? numbered(noun, index),
      (base, count) => `${base} ${count}`,
    );
    return { tag, label };
  });
}

function firstFree(taken: Set<string>, base: string, number: (base: string, count: number) => string): string {
  let name = base;
  for (let count = 2; taken.has(name); count++) name = number(base, count);
  taken.add(name);
  return name;
}

function tagOf(language: string | null, index: number): string {
  return `_${
    language === null
      ? index + 1
      : language
          .toLowerCase()
          .replace(/[^a-z0-9-]/g, "")
          .slice(0, 20)
  }`;
}

function numbered(noun: string, index: number): string {
  return index === 0 ? noun : `${noun} ${index + 1}`;
}

const LANGUAGE_NAMES = new Intl.DisplayNames("en", { type: "language", fallback: "none" });

function languageName(language: string | null): string | undefined {
  return language === null ? undefined : LANGUAGE_NAMES.of(language);
}
