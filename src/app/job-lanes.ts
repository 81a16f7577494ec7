import type { JobLanes } from "../jobs/job-queue.ts";
import { type EncodeCores, openingsAtOnce } from "../library/encode-cores.ts";

/** Jobs that run side by side with those of other lanes: a long one holds up only those of its own. */
interface Lane {
  readonly kinds: readonly string[];
  /** At once, in one worker. */
  readonly concurrency: (cores: EncodeCores) => number;
  /** It needs processor cores, which live streams have the first right to. */
  readonly standsBackForLive: boolean;
}

export const LANES: Readonly<Record<string, Lane>> = {
  /** They keep no processor core busy for long. */
  light: {
    kinds: ["video.prepare", "video.poster", "video.pictures", "video.delete"],
    concurrency: () => 3,
    standsBackForLive: false,
  },
  /** They read a film from its beginning to its end, which takes as long as its store does. */
  through: { kinds: ["video.repackage", "video.text"], concurrency: () => 3, standsBackForLive: false },
  copying: { kinds: ["video.download"], concurrency: () => 1, standsBackForLive: false },
  /** They wait for other servers, perhaps for hours. */
  import: { kinds: ["video.import"], concurrency: () => 16, standsBackForLive: false },
  /** Sound is made in one go: behind it, the pictures of a long film would stand still. */
  sound: { kinds: ["video.audio"], concurrency: () => 2, standsBackForLive: true },
  /** What videos open with: their viewers do not wait for what else is encoded. */
  opening: { kinds: ["video.opening"], concurrency: openingsAtOnce, standsBackForLive: true },
  /** And all that has no other lane. */
  encode: {
    kinds: ["video.encode", "video.preview"],
    concurrency: (cores) => cores.encodesAtOnce,
    standsBackForLive: true,
  },
};

export const JOB_LANES: JobLanes = {
  names: Object.keys(LANES),
  of: (kind) => Object.keys(LANES).find((name) => LANES[name]?.kinds.includes(kind)) ?? "encode",
};
