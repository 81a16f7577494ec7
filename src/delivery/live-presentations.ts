import type { DomainError } from "../core/errors.ts";
import type { LivePresentation } from "../packaging/presentation.ts";

export type ManifestFormat = "hls" | "dash";

/** What delivery needs to know of running streams; whoever owns them implements it. Asked on every request. */
export interface LivePresentations {
  /**
   * The presentation that this stream shows now: playable (its target duration is fixed), waiting for its publisher's
   * return, or just ended. The same object for as long as its URLs go on. Undefined, too, for a manifest format that the
   * stream's owner does not offer; `format` is undefined for media, which all formats share.
   */
  find(streamId: string, format: ManifestFormat | undefined): LivePresentation | undefined;
  /** Why `find` has nothing. */
  explainAbsence(streamId: string, format: ManifestFormat | undefined): DomainError;
}
