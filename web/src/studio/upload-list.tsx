import { bytesText, spanText } from "../text/figures.ts";
import { Icon } from "../ui/icon.tsx";
import { ProgressBar } from "../ui/progress-bar.tsx";
import type { UploadView } from "./file-sending.ts";

interface UploadListProps {
  uploads: readonly UploadView[];
  onPause: (id: number) => void;
  onResume: (id: number) => void;
  onRemove: (id: number) => void;
}

/** What is on its way: how far, how fast, how long still; each can be paused, resumed and given up. */
export function UploadList({ uploads, onPause, onResume, onRemove }: UploadListProps) {
  if (uploads.length === 0) return null;
  return (
    <ul class="uploads" aria-label="Uploads">
      {uploads.map((upload) => (
        <li key={upload.id} class={`upload ${upload.state}`}>
          <div class="upload-name">
            <b>{upload.name}</b>
            <span>{wordsOf(upload)}</span>
          </div>
          <div class="upload-buttons">
            {upload.state === "sending" || upload.state === "waiting" ? (
              <button type="button" class="button quiet" onClick={() => onPause(upload.id)}>
                Pause
              </button>
            ) : (
              <button type="button" class="button quiet" onClick={() => onResume(upload.id)}>
                {upload.state === "failed" ? "Try again" : "Resume"}
              </button>
            )}
            <button
              type="button"
              class="button quiet square"
              aria-label={`Stop uploading ${upload.name}`}
              title="Stop"
              onClick={() => onRemove(upload.id)}
            >
              <Icon name="close" />
            </button>
          </div>
          <ProgressBar label={`Upload of ${upload.name}`} share={upload.sentBytes / Math.max(1, upload.sizeBytes)} />
        </li>
      ))}
    </ul>
  );
}

function wordsOf(upload: UploadView): string {
  const { state, problem, sentBytes, sizeBytes, bytesPerSecond } = upload;
  if (state === "failed") return problem ?? "It failed.";
  if (state === "sending" && problem) return `${problem} Trying again…`;
  const amount = `${bytesText(sentBytes)} of ${bytesText(sizeBytes)}`;
  if (state === "waiting") return `Waiting · ${bytesText(sizeBytes)}`;
  if (state === "paused") return `Paused · ${amount}`;
  if (sentBytes >= sizeBytes) return "Checking the file…";
  if (!bytesPerSecond) return `${upload.isResumed ? "Going on · " : ""}${amount}`;
  const left = spanText(((sizeBytes - sentBytes) / bytesPerSecond) * 1000);
  return `${amount} · ${bytesText(bytesPerSecond)}/s · ${left} left`;
}
