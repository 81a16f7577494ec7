import { useCallback, useState } from "preact/hooks";
import { api } from "../api/client.ts";
import type { CreatedStream, StreamSummary } from "../api/model.ts";
import { sentenceOf } from "../api/problem.ts";
import { countText } from "../text/figures.ts";
import { Icon } from "../ui/icon.tsx";
import { usePoll } from "../ui/poll.ts";
import { Problem } from "../ui/problem.tsx";
import { CreateDialog } from "./create-dialog.tsx";
import { DeleteDialog } from "./delete-dialog.tsx";
import { EmptyState } from "./empty-state.tsx";
import { KeyDialog } from "./key-dialog.tsx";
import { streamHref } from "./route.ts";
import { useSessionLoss } from "./session-loss.ts";
import { StreamCard } from "./stream-card.tsx";

export const POLL_MS = 2000;

type Open =
  | { readonly dialog: "create" }
  | { readonly dialog: "key"; readonly stream: CreatedStream }
  | { readonly dialog: "delete"; readonly stream: StreamSummary };

/** All streams, and the ways to make one. */
export function StreamsView() {
  const load = useCallback((signal: AbortSignal) => allStreams(signal), []);
  const { value: streams, problem, refresh } = usePoll(load, POLL_MS);
  const [open, setOpen] = useState<Open>();
  const [failure, setFailure] = useState<string>();
  const [isStarting, setStarting] = useState(false);
  useSessionLoss(problem);

  const startPicture = async () => {
    setStarting(true);
    setFailure(undefined);
    try {
      await api.create({ name: "Test picture", ingest_type: "pattern" });
      refresh();
    } catch (error) {
      setFailure(sentenceOf(error));
    }
    setStarting(false);
  };
  const close = () => {
    setOpen(undefined);
    refresh();
  };
  const isEmpty = streams?.length === 0;
  return (
    <>
      <div class="title-row">
        <div>
          <h1>Streams</h1>
          {streams && !isEmpty && <p class="subtitle">{overview(streams)}</p>}
        </div>
        {streams && !isEmpty && (
          <div class="actions">
            <button type="button" class="button" onClick={startPicture} disabled={isStarting}>
              <Icon name="picture" /> Test picture
            </button>
            <button type="button" class="button primary" onClick={() => setOpen({ dialog: "create" })}>
              <Icon name="plus" /> New stream
            </button>
          </div>
        )}
      </div>
      <Problem text={failure ?? (problem ? sentenceOf(problem) : undefined)} />
      {!streams && !problem && <CardSkeletons />}
      {isEmpty && (
        <EmptyState onCreate={() => setOpen({ dialog: "create" })} onPicture={startPicture} isStarting={isStarting} />
      )}
      {streams && !isEmpty && (
        <ul class="cards">
          {streams.map((stream) => (
            <li key={stream.stream_id}>
              <StreamCard stream={stream} onDelete={() => setOpen({ dialog: "delete", stream })} />
            </li>
          ))}
        </ul>
      )}
      {open?.dialog === "create" && (
        <CreateDialog onClose={close} onCreated={(stream) => setOpen({ dialog: "key", stream })} />
      )}
      {open?.dialog === "key" && (
        <KeyDialog
          stream={open.stream}
          grant={open.stream}
          isNew
          onClose={() => {
            location.hash = streamHref(open.stream.stream_id);
          }}
        />
      )}
      {open?.dialog === "delete" && <DeleteDialog stream={open.stream} onClose={close} onDeleted={close} />}
    </>
  );
}

/** Pages of the list that the studio shows; beyond them a search is needed, not a longer list. */
const PAGE_COUNT_MAX = 5;

async function allStreams(signal: AbortSignal): Promise<StreamSummary[]> {
  const streams: StreamSummary[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < PAGE_COUNT_MAX; page++) {
    const answer = await api.streams(signal, cursor);
    streams.push(...answer.streams);
    cursor = answer.next_cursor ?? undefined;
    if (cursor === undefined) break;
  }
  return streams.filter((stream) => stream.state !== "deleted");
}

function overview(streams: readonly StreamSummary[]): string {
  const live = streams.filter((stream) => stream.state === "live" || stream.state === "reconnecting");
  const viewers = live.reduce((sum, stream) => sum + stream.viewers, 0);
  const watching = live.length > 0 ? ` · ${countText(viewers, "viewer", "viewers")}` : "";
  return `${live.length} of ${streams.length} live${watching}`;
}

function CardSkeletons() {
  return (
    <ul class="cards" aria-busy="true" aria-label="Loading streams">
      {[0, 1, 2].map((index) => (
        <li key={index} class="card skeleton">
          <div class="thumbnail" />
        </li>
      ))}
    </ul>
  );
}
