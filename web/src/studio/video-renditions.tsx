import type { VideoRenditionFacts } from "../api/model.ts";
import { codecText, formatText } from "../text/figures.ts";
import { ProgressBar } from "../ui/progress-bar.tsx";

interface VideoRenditionsProps {
  renditions: readonly VideoRenditionFacts[];
  onRetry: (renditionId: string) => void;
}

const KINDS = { video: "—", audio: "Sound", text: "Subtitles" } as const;

/** What viewers can choose from, and how far each is. */
export function VideoRenditions({ renditions, onRetry }: VideoRenditionsProps) {
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
                <RenditionState rendition={rendition} onRetry={onRetry} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function RenditionState({ rendition, onRetry }: { rendition: VideoRenditionFacts; onRetry: (id: string) => void }) {
  const { id, status, progress, speed, error } = rendition;
  if (status === "ready") return <span class="done">Ready</span>;
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
