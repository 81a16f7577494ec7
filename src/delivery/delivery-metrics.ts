/** What was asked for; the only label that requests are counted under. */
export type DeliveryKind =
  | "multivariant"
  | "playlist"
  | "mpd"
  | "init"
  | "segment"
  | "part"
  | "file"
  | "time"
  | "preflight";

/** Where delivery counts. Called on the hot path: must be cheap and never throw. */
export interface DeliveryMetrics {
  /** One answer was handed to its connection, with `bodyBytes` after content coding. */
  served(kind: DeliveryKind, status: number, bodyBytes: number): void;
  /** A playlist or MPD was made anew. */
  rendered(kind: DeliveryKind): void;
  /** A reader of an open segment could not follow, or one of a stored object took nothing, and was cut. */
  cutSlowReader(): void;
}
