/** What is made of a video beside its renditions, by the jobs that make it: `pictures` are thumbnails and the storyboard. */
export const ARTIFACT_KINDS = ["poster", "pictures", "preview"] as const;
export type ArtifactKind = (typeof ARTIFACT_KINDS)[number];
