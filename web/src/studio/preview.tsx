import { useState } from "preact/hooks";
import type { StreamDetails } from "../api/model.ts";
import { watchUrl } from "../text/snippets.ts";
import { Icon } from "../ui/icon.tsx";
import { pictureOf, Thumbnail } from "../ui/thumbnail.tsx";

/** A still that is fresh every few seconds; the real player on demand, so that looking costs no viewer by itself. */
export function Preview({ stream }: { stream: StreamDetails }) {
  const [isPlaying, setPlaying] = useState(false);
  const canPlay = stream.state === "live" || stream.state === "reconnecting";
  if (isPlaying && canPlay) {
    return (
      <div class="preview">
        <iframe
          src={`${watchUrl("", stream.stream_id)}?embed=1`}
          title={`Preview of ${stream.name}`}
          allow="autoplay; fullscreen; picture-in-picture"
        />
      </div>
    );
  }
  return (
    <div class="preview">
      <Thumbnail streamId={stream.stream_id} picture={pictureOf(stream.state)} />
      {canPlay && (
        <button type="button" class="play-preview" onClick={() => setPlaying(true)}>
          <Icon name="play" />
          <span>Play preview</span>
        </button>
      )}
    </div>
  );
}
