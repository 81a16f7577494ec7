import manifest from "../../package.json" with { type: "json" };

/** Of this Headwater, as its package says. */
export const VERSION: string = manifest.version;
