import { useCallback, useState } from "preact/hooks";
import { api } from "../api/client.ts";
import type { VideoDetails } from "../api/model.ts";
import { ApiProblem, sentenceOf } from "../api/problem.ts";
import { bytesText, lengthText, spanText } from "../text/figures.ts";
import { asSentence } from "../text/sentence.ts";
import { embedCode, watchUrl } from "../text/snippets.ts";
import { CopyButton } from "../ui/copy-button.tsx";
import { CopyField } from "../ui/copy-field.tsx";
import { Icon } from "../ui/icon.tsx";
import { usePoll } from "../ui/poll.ts";
import { Problem } from "../ui/problem.tsx";
import { ProgressBar } from "../ui/progress-bar.tsx";
import { DeleteVideoDialog } from "./delete-video-dialog.tsx";
import { EditVideoDialog } from "./edit-video-dialog.tsx";
import { VIDEOS_HREF } from "./route.ts";
import { useSessionLoss } from "./session-loss.ts";
import { StopVideoDialog } from "./stop-video-dialog.tsx";
import { POLL_MS } from "./streams-view.tsx";
import { VideoBadge } from "./video-badge.tsx";
import { Poster } from "./video-card.tsx";
import { VideoRenditions } from "./video-renditions.tsx";

/** Everything about one video. */
export function VideoView({ videoId }: { videoId: string }) {
  const load = useCallback((signal: AbortSignal) => readVideo(videoId, signal), [videoId]);
  const { value, problem, refresh } = usePoll(load, POLL_MS);
  const { video, isPlayable = false } = value ?? {};
  const [open, setOpen] = useState<"edit" | "delete" | "stop">();
  const [failure, setFailure] = useState<string>();
  useSessionLoss(problem);
  const attempt = async (call: () => Promise<unknown>) => {
    setFailure(undefined);
    try {
      await call();
      refresh();
    } catch (error) {
      setFailure(sentenceOf(error));
    }
  };
  const isGone = problem instanceof ApiProblem && problem.status === 404;
  return (
    <>
      <a class="back" href={VIDEOS_HREF}>
        <Icon name="back" /> Videos
      </a>
      <Problem text={failure ?? (problem ? sentenceOf(problem) : undefined)} />
      {video && !isGone && (
        <>
          <VideoTitle {...{ video, isPlayable }} onEdit={() => setOpen("edit")} onDelete={() => setOpen("delete")} />
          <div class="detail">
            <div class="column">
              <VideoPreview video={video} isPlayable={isPlayable} />
              <Making
                video={video}
                isPlayable={isPlayable}
                onStop={() => setOpen("stop")}
                onResume={() => attempt(() => api.transcode(videoId))}
              />
              <VideoVitals video={video} />
              <VideoRenditions
                isRecorded={video.recording !== null}
                renditions={video.renditions}
                downloads={video.downloads}
                onRetry={(rendition) => attempt(() => api.retryRendition(videoId, rendition))}
                onDownload={(rendition) => api.requestDownload(videoId, rendition)}
              />
            </div>
            <div class="column">
              <ShareVideo video={video} />
              {video.description && (
                <section class="panel">
                  <h2>Description</h2>
                  <p class="description">{video.description}</p>
                </section>
              )}
            </div>
          </div>
          {open === "edit" && (
            <EditVideoDialog
              video={video}
              onClose={() => setOpen(undefined)}
              onChanged={() => {
                setOpen(undefined);
                refresh();
              }}
            />
          )}
          {open === "stop" && (
            <StopVideoDialog
              title={video.title}
              isPlayable={isPlayable}
              onClose={() => setOpen(undefined)}
              onStop={() => {
                setOpen(undefined);
                void attempt(() => api.cancelVideo(videoId));
              }}
            />
          )}
          {open === "delete" && (
            <DeleteVideoDialog
              video={video}
              onClose={() => setOpen(undefined)}
              onDeleted={() => {
                location.hash = VIDEOS_HREF;
              }}
            />
          )}
        </>
      )}
    </>
  );
}

interface VideoProps {
  video: VideoDetails;
  /** Its beginning is there, at least. */
  isPlayable: boolean;
}

interface VideoTitleProps extends VideoProps {
  onEdit: () => void;
  onDelete: () => void;
}

function VideoTitle({ video, isPlayable, onEdit, onDelete }: VideoTitleProps) {
  return (
    <div class="title-row">
      <div class="named">
        <h1>{video.title}</h1>
        <VideoBadge status={video.status} />
      </div>
      <div class="actions">
        <button type="button" class="button danger" onClick={onDelete}>
          <Icon name="trash" /> Delete
        </button>
        <button type="button" class="button" onClick={onEdit}>
          <Icon name="pencil" /> Edit
        </button>
        <CopyButton
          text={embedCode(location.origin, video.video_id, video.title)}
          what="embed code"
          label="Embed"
          icon="code"
        />
        {isPlayable && (
          <a class="button primary" href={watchUrl("", video.video_id)} target="_blank" rel="noopener">
            <Icon name="open" /> Watch page
          </a>
        )}
      </div>
    </div>
  );
}

/** The poster until somebody wants to see more. */
function VideoPreview({ video, isPlayable }: VideoProps) {
  const [isPlaying, setPlaying] = useState(false);
  if (isPlaying) {
    return (
      <div class="preview">
        <iframe
          src={`${watchUrl("", video.video_id)}?embed=1`}
          title={`Preview of ${video.title}`}
          allow="autoplay; fullscreen; picture-in-picture"
        />
      </div>
    );
  }
  return (
    <div class="preview">
      <Poster video={video} />
      {isPlayable && (
        <button type="button" class="play-preview" onClick={() => setPlaying(true)}>
          <Icon name="play" />
          <span>Play</span>
        </button>
      )}
    </div>
  );
}

interface MakingProps extends VideoProps {
  onStop: () => void;
  onResume: () => void;
}

/** Why there is no video, or how far it is. */
function Making({ video, isPlayable, onStop, onResume }: MakingProps) {
  if (video.error) {
    const rest = isPlayable ? " What is there of it can be watched." : "";
    return (
      <section class="panel making">
        <Problem text={`${asSentence(video.error.message)}${rest}`} />
        {video.source && (
          <button type="button" class="button" onClick={onResume}>
            Make what is missing
          </button>
        )}
      </section>
    );
  }
  if (video.recording) return <RecordingNote video={video} />;
  if (video.status === "ready") return null;
  const left = video.remaining_ms === null ? "" : ` · ${spanText(video.remaining_ms)} left`;
  return (
    <section class="panel making">
      <div class="upload-name">
        <b>{video.status === "playable" ? "It can be watched; the rest is being made" : "It is being prepared"}</b>
        <span>
          {Math.round(video.progress * 100)} %{left}
        </span>
      </div>
      <button type="button" class="button quiet" onClick={onStop}>
        Stop
      </button>
      <ProgressBar label="Making the video" share={video.progress} />
    </section>
  );
}

/** That it goes on, and what is missing of it. */
function RecordingNote({ video: { status, recording } }: { video: VideoDetails }) {
  const lostMs = (recording?.gaps ?? []).reduce((sum, gap) => sum + gap.duration_ms, 0);
  if (status === "ready" && lostMs === 0) return null;
  return (
    <section class="panel making">
      {status !== "ready" && <b>It is being recorded, and can be watched from its start</b>}
      {lostMs > 0 && <p>{spanText(lostMs)} of the broadcast could not be stored, and are missing.</p>}
    </section>
  );
}

function VideoVitals({ video }: { video: VideoDetails }) {
  const made =
    video.ready_at === null ? "—" : spanText(Math.max(0, Date.parse(video.ready_at) - Date.parse(video.created_at)));
  const vitals = [
    ["Length", video.duration_ms === null ? "—" : lengthText(video.duration_ms)],
    ["Original", video.source ? bytesText(video.source.size_bytes) : "Recording"],
    [
      video.recording ? "On air" : "Uploaded",
      new Date(video.recording?.started_at ?? video.created_at).toLocaleDateString(undefined, { dateStyle: "medium" }),
    ],
    ["Made in", made],
  ] as const;
  return (
    <dl class="vitals">
      {vitals.map(([term, value]) => (
        <div key={term}>
          <dt>{term}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** The addresses that leave the house. */
function ShareVideo({ video }: { video: VideoDetails }) {
  const { origin } = location;
  return (
    <section class="panel">
      <h2>Share</h2>
      <CopyField label="Watch page" value={watchUrl(origin, video.video_id)} />
      <CopyField label="Embed code" value={embedCode(origin, video.video_id, video.title)} />
      <CopyField label="HLS" value={video.hls_url} />
      <CopyField label="DASH" value={video.dash_url} />
      {video.preview_url && <CopyField label="30-second preview" value={new URL(video.preview_url, origin).href} />}
    </section>
  );
}

/** Of what was stopped, or failed late, only its playback tells whether there is something to play. */
async function readVideo(videoId: string, signal: AbortSignal) {
  const video = await api.video(videoId, signal);
  const { status } = video;
  const isStopped = status === "errored" && (await api.videoPlayback(videoId, signal)).is_playable;
  return { video, isPlayable: status === "ready" || status === "playable" || isStopped };
}
