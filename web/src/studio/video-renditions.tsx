import type { RequestedDownload, VideoDownload, VideoRenditionFacts } from "../api/model.ts";
import { codecText, formatText } from "../text/figures.ts";
import { ProgressBar } from "../ui/progress-bar.tsx";
import { DownloadButton } from "./download-button.tsx";

interface VideoRenditionsProps {
  renditions: readonly VideoRenditionFacts[];
  /** Files that are there. */
  downloads: readonly VideoDownload[];
  /** They come out of a broadcast: nothing is made, and nothing can be made again. */
  isRecorded: boolean;
  onRetry: (renditionId: string) => void;
  onDownload: (renditionId: string) => Promise<RequestedDownload>;
}

const KINDS = { video: "—", audio: "Sound", text: "Subtitles" } as const;

/** What viewers can choose from, and how far each is. */
export function VideoRenditions({ renditions, downloads, isRecorded, onRetry, onDownload }: VideoRenditionsProps) {
  if (renditions.length === 0) return null;
  return (
    <section class="panel">
      <h2>Renditions</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Codec</th>
            <th scope="col">Format</th>
            <th scope="col">State</th>
          </tr>
        </thead>
        <tbody>
          {renditions.map((rendition) => (
            <tr key={rendition.id}>
              <th scope="row">
                {rendition.id}
                {rendition.origin === "source" && <small>as it came</small>}
              </th>
              <td data-label="Codec">{rendition.codec ? codecText(rendition.codec) : "—"}</td>
              <td data-label="Format">{formatText(rendition) || KINDS[rendition.kind]}</td>
              <td data-label="State">
                <RenditionState rendition={rendition} isRecorded={isRecorded} onRetry={onRetry} />
                {rendition.status === "ready" && rendition.kind !== "text" && (
                  <DownloadButton
                    download={downloads.find((each) => each.rendition === rendition.id)}
                    onRequest={() => onDownload(rendition.id)}
                  />
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

interface RenditionStateProps {
  rendition: VideoRenditionFacts;
  isRecorded: boolean;
  onRetry: (id: string) => void;
}

function RenditionState({ rendition, isRecorded, onRetry }: RenditionStateProps) {
  const { id, status, progress, speed, error } = rendition;
  if (status === "ready") return <span class="done">Ready</span>;
  if (isRecorded) return <span>{error ?? "Being recorded"}</span>;
  if (status === "errored") {
    return (
      <span class="failed">
        {error ?? "Failed"}{" "}
        <button type="button" class="button quiet" onClick={() => onRetry(id)}>
          Try again
        </button>
      </span>
    );
  }
  return (
    <span class="in-work">
      <ProgressBar label={`${id} is being made`} share={progress} />
      <small>
        {status === "waiting" && progress === 0 ? "Waiting" : `${Math.round(progress * 100)} %`}
        {speed !== null && ` · ${speed.toFixed(1)}×`}
      </small>
    </span>
  );
}
