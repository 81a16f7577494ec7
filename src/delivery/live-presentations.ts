import type { DomainError } from "../core/errors.ts";
import type { LivePresentation } from "../packaging/presentation.ts";

/** What delivery needs to know of running streams; whoever owns them implements it. Asked on every request. */
export interface LivePresentations {
  /**
   * The presentation that this stream shows now: playable (its target duration is fixed), waiting for its publisher's
   * return, or just ended. The same object for as long as its URLs go on.
   */
  find(streamId: string): LivePresentation | undefined;
  /** Why `find` has nothing: STREAM_NOT_FOUND or STREAM_NOT_LIVE. */
  explainAbsence(streamId: string): DomainError;
}
