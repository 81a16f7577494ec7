import { useCallback, useEffect, useState } from "preact/hooks";
import { api } from "../api/client.ts";
import type { VideoSummary } from "../api/model.ts";
import { sentenceOf } from "../api/problem.ts";
import { countText } from "../text/figures.ts";
import { Icon } from "../ui/icon.tsx";
import { usePoll } from "../ui/poll.ts";
import { Problem } from "../ui/problem.tsx";
import { DeleteVideoDialog } from "./delete-video-dialog.tsx";
import { DropZone } from "./drop-zone.tsx";
import { ImportDialog } from "./import-dialog.tsx";
import { ImportList } from "./import-list.tsx";
import { useImports } from "./imports.ts";
import { useSessionLoss } from "./session-loss.ts";
import { POLL_MS } from "./streams-view.tsx";
import { UnfinishedUploads } from "./unfinished-uploads.tsx";
import { UploadButton } from "./upload-button.tsx";
import { UploadList } from "./upload-list.tsx";
import { useUploads } from "./uploads-context.ts";
import { VideoCard } from "./video-card.tsx";

/** All videos, what is on its way to become one, and the ways to bring more. */
export function VideosView() {
  const load = useCallback((signal: AbortSignal) => allVideos(signal), []);
  const { value: videos, problem, refresh } = usePoll(load, POLL_MS);
  const { uploads, sentCount, queue } = useUploads();
  const { imports, follow, remove } = useImports();
  const [isImporting, setImporting] = useState(false);
  const [deleting, setDeleting] = useState<VideoSummary>();
  useSessionLoss(problem);
  useEffect(() => {
    if (sentCount > 0) refresh();
  }, [sentCount, refresh]);
  const add = (files: File[]) => queue.add(files);
  const close = () => {
    setDeleting(undefined);
    refresh();
  };
  const isEmpty = videos?.length === 0;
  return (
    <DropZone onFiles={add}>
      <div class="title-row">
        <div>
          <h1>Videos</h1>
          {videos && !isEmpty && <p class="subtitle">{countText(videos.length, "video", "videos")}</p>}
        </div>
        <div class="actions">
          <button type="button" class="button" onClick={() => setImporting(true)}>
            <Icon name="open" /> From a URL
          </button>
          <UploadButton onFiles={add} />
        </div>
      </div>
      <Problem text={problem ? sentenceOf(problem) : undefined} />
      <UnfinishedUploads uploads={uploads} />
      <UploadList
        uploads={uploads}
        onPause={(id) => queue.pause(id)}
        onResume={(id) => queue.resume(id)}
        onRemove={(id) => queue.remove(id)}
      />
      <ImportList imports={imports} remove={remove} />
      {isEmpty && uploads.length === 0 && imports.length === 0 && <NoVideos />}
      {videos && !isEmpty && (
        <ul class="cards">
          {videos.map((video) => (
            <li key={video.video_id}>
              <VideoCard video={video} onDelete={() => setDeleting(video)} />
            </li>
          ))}
        </ul>
      )}
      {isImporting && (
        <ImportDialog
          onClose={() => setImporting(false)}
          onStarted={(jobId, url) => {
            setImporting(false);
            follow(jobId, url);
          }}
        />
      )}
      {deleting && <DeleteVideoDialog video={deleting} onClose={close} onDeleted={close} />}
    </DropZone>
  );
}

/** Pages of the list that the studio shows; beyond them a search is needed, not a longer list. */
const PAGE_COUNT_MAX = 5;

async function allVideos(signal: AbortSignal): Promise<VideoSummary[]> {
  const videos: VideoSummary[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < PAGE_COUNT_MAX; page++) {
    const answer = await api.videos(signal, cursor);
    videos.push(...answer.videos);
    cursor = answer.next_cursor ?? undefined;
    if (cursor === undefined) break;
  }
  return videos;
}

function NoVideos() {
  return (
    <section class="empty">
      <Icon name="film" />
      <h2>No videos yet</h2>
      <p class="lead">
        Drop a film anywhere on this page. It can be watched within seconds, while the rest of it is still being made.
      </p>
      <p class="hint">MP4, MOV, MKV, AVI or WebM. An upload that breaks off goes on where it was.</p>
    </section>
  );
}
