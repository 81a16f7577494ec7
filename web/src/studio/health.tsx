import type { HealthNote } from "../api/model.ts";
import { Icon } from "../ui/icon.tsx";

const SEVERITIES = ["error", "warning", "info"] as const;
const ICONS = { error: "fault", warning: "warning", info: "info" } as const;

function worstFirst(notes: readonly HealthNote[]): HealthNote[] {
  return notes.toSorted((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
}

const QUIET: Readonly<Record<string, string>> = {
  pending: "Waiting for an encoder",
  reconnecting: "The encoder is away; viewers are kept",
  processing: "Writing the last segments",
  ready: "The broadcast is over",
  ended: "The broadcast is over",
  error: "Something failed",
};

/** The most urgent thing to know about a stream, in one line. */
export function HealthLine({ state, notes }: { state: string; notes: readonly HealthNote[] }) {
  const [worst, ...others] = worstFirst(notes);
  if (worst) return <Note note={worst} more={others.length} />;
  if (state !== "live") return <p class="note quiet">{QUIET[state] ?? ""}</p>;
  return (
    <p class="note good">
      <Icon name="check" />
      <span>Healthy</span>
    </p>
  );
}

/** Everything there is to know about a stream's health. */
export function HealthList({ state, notes }: { state: string; notes: readonly HealthNote[] }) {
  if (notes.length === 0) return <HealthLine state={state} notes={notes} />;
  return (
    <ul class="notes">
      {worstFirst(notes).map((note) => (
        <li key={note.code}>
          <Note note={note} more={0} />
        </li>
      ))}
    </ul>
  );
}

function Note({ note, more }: { note: HealthNote; more: number }) {
  return (
    <p class={`note ${note.severity}`}>
      <Icon name={ICONS[note.severity] ?? "info"} />
      <span>
        {note.message}
        {more > 0 && <em> and {more} more</em>}
      </span>
    </p>
  );
}
