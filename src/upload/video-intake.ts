import type { Library } from "../library/library.ts";

/** Who takes the originals that arrive, and makes videos of them. */
export type VideoIntake = Pick<Library, "newUpload" | "complete" | "abandon">;
