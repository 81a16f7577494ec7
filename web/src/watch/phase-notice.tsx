import type { Phase } from "./phase.ts";
import type { WatchView } from "./watch-session.ts";

const NOTICES: Readonly<Partial<Record<Phase, { title: string; text: string }>>> = {
  pending: { title: "Not live yet", text: "This page starts by itself when the broadcast does." },
  reconnecting: { title: "Reconnecting", text: "The broadcast was interrupted. It goes on here by itself." },
  ended: { title: "The broadcast is over", text: "Stay if there is another one: it starts by itself." },
  preparing: { title: "Being prepared", text: "This video plays here as soon as its beginning is ready." },
  errored: { title: "This video could not be made", text: "Whoever uploaded it can see why." },
  missing: { title: "There is nothing here", text: "The link may be mistyped, or what it showed was deleted." },
  unreachable: { title: "No connection", text: "The server does not answer. Trying again…" },
  failed: { title: "This could not be played", text: "" },
};

interface PhaseNoticeProps {
  view: WatchView | undefined;
  onRetry: () => void;
}

/** Over the picture: why there is none, and what happens next. Spoken by screen readers when it changes. */
export function PhaseNotice({ view, onRetry }: PhaseNoticeProps) {
  const notice = view && NOTICES[view.phase];
  if (view?.isAudioOnly) {
    return (
      <div class="notice sound">
        <Waves isMoving />
        <p>Sound only</p>
      </div>
    );
  }
  return (
    <div class="notice" role="status" hidden={!notice}>
      {notice && (
        <>
          <Waves isMoving={MOVING.includes(view.phase)} />
          <p class="title">{notice.title}</p>
          <p>{view.phase === "failed" ? view.problem : notice.text}</p>
          {view.phase === "failed" && (
            <button type="button" class="button primary" onClick={onRetry}>
              Try again
            </button>
          )}
        </>
      )}
    </div>
  );
}

const MOVING: readonly Phase[] = ["pending", "preparing", "reconnecting", "unreachable"];

function Waves({ isMoving }: { isMoving: boolean }) {
  return (
    <svg class={`waves ${isMoving ? "moving" : ""}`} viewBox="0 0 64 28" aria-hidden="true">
      <path d="M-24 10c8-8 16-8 24 0s16 8 24 0 16-8 24 0 16 8 24 0 16-8 24 0" />
      <path d="M-24 20c8-8 16-8 24 0s16 8 24 0 16-8 24 0 16 8 24 0 16-8 24 0" />
    </svg>
  );
}
