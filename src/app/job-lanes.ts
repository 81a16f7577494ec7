import type { JobLanes } from "../jobs/job-queue.ts";

/** Kinds of work that keep no processor core busy for long: they run beside the encodes, and never wait for live. */
const LIGHT = ["video.prepare", "video.poster", "video.pictures", "video.delete"];
/** They read a film from its beginning to its end, which takes as long as its store does. */
const THROUGH = ["video.repackage", "video.text"];

const LANE_OF_KIND: ReadonlyMap<string, string> = new Map([
  ...LIGHT.map((kind) => [kind, "light"] as const),
  ...THROUGH.map((kind) => [kind, "through"] as const),
  // Copying may take minutes, and holds up nobody: one at a time, beside everything else.
  ["video.download", "copying"],
  // They wait for other servers, perhaps for hours.
  ["video.import", "import"],
  // Sound is made in one go: behind it, the pictures of a long film would stand still.
  ["video.audio", "sound"],
]);

export const ENCODE_LANE = "encode";

/** What of the jobs runs side by side: a long one holds up only those of its own lane. */
export const JOB_LANES: JobLanes = {
  names: [...new Set(LANE_OF_KIND.values()), ENCODE_LANE],
  of: (kind) => LANE_OF_KIND.get(kind) ?? ENCODE_LANE,
};
