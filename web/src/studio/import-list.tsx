import { asSentence } from "../text/sentence.ts";
import { Icon } from "../ui/icon.tsx";
import { ProgressBar } from "../ui/progress-bar.tsx";
import type { Imports, ImportView } from "./imports.ts";

/** What the server is fetching, and what it could not fetch. */
export function ImportList({ imports, remove }: Pick<Imports, "imports" | "remove">) {
  if (imports.length === 0) return null;
  return (
    <ul class="uploads" aria-label="Imports">
      {imports.map((view) => (
        <li key={view.jobId} class={`upload ${view.problem === undefined ? "sending" : "failed"}`}>
          <div class="upload-name">
            <b>{view.name}</b>
            <span>{wordsOf(view)}</span>
          </div>
          <div class="upload-buttons">
            <button
              type="button"
              class="button quiet square"
              aria-label={`${view.problem === undefined ? "Stop importing" : "Forget"} ${view.name}`}
              title={view.problem === undefined ? "Stop" : "Forget"}
              onClick={() => remove(view)}
            >
              <Icon name="close" />
            </button>
          </div>
          <ProgressBar label={`Import of ${view.name}`} share={view.share} />
        </li>
      ))}
    </ul>
  );
}

function wordsOf({ share, problem }: ImportView): string {
  if (problem !== undefined) return asSentence(problem);
  return share === 0 ? "The server fetches it…" : `${Math.round(share * 100)} % fetched`;
}
