import { useState } from "preact/hooks";
import type { VideoSummary } from "../api/model.ts";
import { lengthText } from "../text/figures.ts";
import { asSentence } from "../text/sentence.ts";
import { embedCode, watchUrl } from "../text/snippets.ts";
import { CopyButton } from "../ui/copy-button.tsx";
import { Icon } from "../ui/icon.tsx";
import { ProgressBar } from "../ui/progress-bar.tsx";
import { videoHref } from "./route.ts";
import { VideoBadge } from "./video-badge.tsx";

/** One video at a glance. The title leads to its details. */
export function VideoCard({ video, onDelete }: { video: VideoSummary; onDelete: () => void }) {
  const canPlay = video.status === "ready" || video.status === "playable";
  const [isPointedAt, setPointedAt] = useState(false);
  return (
    <article class="card" onPointerEnter={() => setPointedAt(true)} onPointerLeave={() => setPointedAt(false)}>
      <div class="picture">
        <Poster video={video} isMoving={isPointedAt} />
        {video.status !== "ready" && <VideoBadge status={video.status} />}
        {video.duration_ms !== null && <span class="length">{lengthText(video.duration_ms)}</span>}
      </div>
      <div class="words">
        <h2>
          <a href={videoHref(video.video_id)} title={video.title}>
            {video.title}
          </a>
        </h2>
        <VideoLine video={video} />
      </div>
      <footer>
        {canPlay ? (
          <a class="button quiet" href={watchUrl("", video.video_id)} target="_blank" rel="noopener">
            <Icon name="play" /> Watch
          </a>
        ) : (
          <span />
        )}
        {canPlay && (
          <CopyButton text={embedCode(location.origin, video.video_id, video.title)} what="embed code" icon="code" />
        )}
        <button
          type="button"
          class="button quiet square"
          aria-label={`Delete ${video.title}`}
          title="Delete"
          onClick={onDelete}
        >
          <Icon name="trash" />
        </button>
      </footer>
    </article>
  );
}

interface PosterProps {
  video: Pick<VideoSummary, "poster_url" | "preview_image_url">;
  /** Somebody wants to know what it is about: moments of it move, where people like that and there are any. */
  isMoving?: boolean;
}

/** The poster, or what stands for it until there is one. */
export function Poster({ video, isMoving = false }: PosterProps) {
  const { poster_url: poster, preview_image_url: moving } = video;
  return (
    <div class="thumbnail">
      {poster ? <img src={poster} alt="" loading="lazy" /> : <Icon name="film" />}
      {isMoving && moving && !prefersStillness() && <img src={moving} alt="" />}
    </div>
  );
}

function prefersStillness(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

function VideoLine({ video }: { video: VideoSummary }) {
  if (video.error) {
    return (
      <p class="note error">
        <Icon name="fault" />
        <span>{asSentence(video.error.message)}</span>
      </p>
    );
  }
  if (video.status === "ready") {
    return <p class="facts">{new Date(video.created_at).toLocaleDateString(undefined, { dateStyle: "medium" })}</p>;
  }
  if (video.is_recording) return <p class="facts">Being recorded</p>;
  return <ProgressBar label={`${video.title} is being made`} share={video.progress} />;
}
