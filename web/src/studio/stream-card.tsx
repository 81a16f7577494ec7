import type { StreamSummary } from "../api/model.ts";
import { bitrateText, countText } from "../text/figures.ts";
import { embedCode, watchUrl } from "../text/snippets.ts";
import { CopyButton } from "../ui/copy-button.tsx";
import { Icon } from "../ui/icon.tsx";
import { StateBadge } from "../ui/state-badge.tsx";
import { pictureOf, Thumbnail } from "../ui/thumbnail.tsx";
import { HealthLine } from "./health.tsx";
import { streamHref } from "./route.ts";

/** One stream at a glance. The name leads to its details. */
export function StreamCard({ stream, onDelete }: { stream: StreamSummary; onDelete: () => void }) {
  const isOn = stream.state === "live" || stream.state === "reconnecting";
  return (
    <article class="card">
      <div class="picture">
        <Thumbnail streamId={stream.stream_id} picture={pictureOf(stream.state)} />
        <StateBadge state={stream.state} />
      </div>
      <div class="words">
        <h2>
          <a href={streamHref(stream.stream_id)}>{stream.name}</a>
        </h2>
        <p class="facts">
          {isOn ? (
            <>
              <span title={countText(stream.viewers, "viewer", "viewers")}>
                <Icon name="eye" />
                {stream.viewers.toLocaleString("en")}
                <span class="visually-hidden"> watching</span>
              </span>
              <span>
                <Icon name="flow" />
                {bitrateText(stream.bitrate_bps)}
              </span>
            </>
          ) : (
            <span>{stream.ingest_type === "pattern" ? "Test picture" : "RTMP"}</span>
          )}
          {stream.low_latency && <span>Low latency</span>}
        </p>
        <HealthLine state={stream.state} notes={stream.health} />
      </div>
      <footer>
        <a class="button quiet" href={watchUrl("", stream.stream_id)} target="_blank" rel="noopener">
          <Icon name="play" /> Watch
        </a>
        <CopyButton text={embedCode(location.origin, stream.stream_id, stream.name)} what="embed code" icon="code" />
        <button
          type="button"
          class="button quiet square"
          aria-label={`Delete ${stream.name}`}
          title="Delete"
          onClick={onDelete}
        >
          <Icon name="trash" />
        </button>
      </footer>
    </article>
  );
}
