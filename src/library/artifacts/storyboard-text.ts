import type { StoryboardPlan } from "./storyboard-plan.ts";

interface PlacedStoryboard {
  readonly plan: StoryboardPlan;
  readonly imageNames: readonly string[];
  readonly durationMs: number;
}

interface Tile {
  readonly startMs: number;
  readonly endMs: number;
  readonly image: string;
  readonly x: number;
  readonly y: number;
}

/** For players: a cue for each picture that names the image and, behind `#xywh`, the place on it (Media Fragments URI 1.0). */
export function storyboardVtt(placed: PlacedStoryboard): Buffer {
  const { width, height } = placed.plan.tile;
  const cues = tilesOf(placed).map(({ startMs, endMs, image, x, y }) => {
    return `${instant(startMs)} --> ${instant(endMs)}\n${image}#xywh=${x},${y},${width},${height}\n`;
  });
  return Buffer.from(["WEBVTT\n", ...cues].join("\n"));
}

/** For applications: the same in numbers. */
export function storyboardJson(placed: PlacedStoryboard): Buffer {
  const { plan, durationMs, imageNames } = placed;
  return Buffer.from(
    JSON.stringify({
      ...{ duration_ms: durationMs, interval_ms: plan.intervalMs },
      ...{ tile_width: plan.tile.width, tile_height: plan.tile.height },
      ...{ column_count: plan.columnCount, row_count: plan.rowCount, images: imageNames },
      tiles: tilesOf(placed).map(({ startMs, image, x, y }) => ({ start_ms: startMs, image, x, y })),
    }),
  );
}

function tilesOf({ plan, imageNames, durationMs }: PlacedStoryboard): readonly Tile[] {
  const { tile, columnCount, rowCount, intervalMs, tileCount } = plan;
  const perImage = columnCount * rowCount;
  return Array.from({ length: tileCount }, (_, place) => ({
    startMs: place * intervalMs,
    endMs: Math.min((place + 1) * intervalMs, durationMs),
    image: imageNames[Math.floor(place / perImage)] ?? "",
    x: (place % columnCount) * tile.width,
    y: Math.floor((place % perImage) / columnCount) * tile.height,
  }));
}

/** `01:02:03.004`. */
function instant(ms: number): string {
  const [hours, minutes, seconds] = [ms / 3_600_000, (ms / 60_000) % 60, (ms / 1000) % 60].map((part) => {
    return String(Math.floor(part)).padStart(2, "0");
  });
  return `${hours}:${minutes}:${seconds}.${String(ms % 1000).padStart(3, "0")}`;
}
