import { useCallback, useState } from "preact/hooks";
import { api } from "../api/client.ts";
import type { KeyGrant, StreamDetails } from "../api/model.ts";
import { ApiProblem, sentenceOf } from "../api/problem.ts";
import { bitrateText, delayText, spanText } from "../text/figures.ts";
import { embedCode, watchUrl } from "../text/snippets.ts";
import { CopyButton } from "../ui/copy-button.tsx";
import { Icon } from "../ui/icon.tsx";
import { usePoll } from "../ui/poll.ts";
import { Problem } from "../ui/problem.tsx";
import { StateBadge } from "../ui/state-badge.tsx";
import { ConnectPanel, SharePanel } from "./connect-panel.tsx";
import { DeleteDialog } from "./delete-dialog.tsx";
import { HealthList } from "./health.tsx";
import { KeyDialog } from "./key-dialog.tsx";
import { Preview } from "./preview.tsx";
import { videoHref } from "./route.ts";
import { useSessionLoss } from "./session-loss.ts";
import { RenditionTable, TrackTable } from "./stream-tables.tsx";
import { POLL_MS } from "./streams-view.tsx";

/** Everything about one stream. */
export function StreamView({ streamId }: { streamId: string }) {
  const load = useCallback((signal: AbortSignal) => api.stream(streamId, signal), [streamId]);
  const { value: stream, problem } = usePoll(load, POLL_MS);
  const [grant, setGrant] = useState<KeyGrant>();
  const [isDeleting, setDeleting] = useState(false);
  useSessionLoss(problem);
  const isGone = problem instanceof ApiProblem && problem.status === 404;
  return (
    <>
      <a class="back" href="#/">
        <Icon name="back" /> Streams
      </a>
      <Problem text={problem ? sentenceOf(problem) : undefined} />
      {stream && !isGone && (
        <>
          <StreamTitle stream={stream} onDelete={() => setDeleting(true)} />
          <div class={`detail ${stream.state}`}>
            <div class="column">
              <Preview stream={stream} />
              <Vitals stream={stream} />
              <section class="panel">
                <h2>Health</h2>
                <HealthList state={stream.state} notes={stream.health} />
              </section>
              <RenditionTable renditions={stream.renditions} />
              <TrackTable tracks={stream.tracks} encoder={stream.encoder} />
            </div>
            <div class="column">
              {stream.ingest_type === "rtmp" && <ConnectPanel stream={stream} onGrant={setGrant} />}
              <SharePanel stream={stream} />
            </div>
          </div>
          {grant && <KeyDialog stream={stream} grant={grant} onClose={() => setGrant(undefined)} />}
          {isDeleting && (
            <DeleteDialog
              stream={stream}
              onClose={() => setDeleting(false)}
              onDeleted={() => {
                location.hash = "#/";
              }}
            />
          )}
        </>
      )}
    </>
  );
}

function StreamTitle({ stream, onDelete }: { stream: StreamDetails; onDelete: () => void }) {
  return (
    <div class="title-row">
      <div class="named">
        <h1>{stream.name}</h1>
        <StateBadge state={stream.state} />
      </div>
      <div class="actions">
        <button type="button" class="button danger" onClick={onDelete}>
          <Icon name="trash" /> Delete
        </button>
        {stream.video_id && (
          <a class="button" href={videoHref(stream.video_id)}>
            <Icon name="film" /> {stream.record ? "Recording" : "Video"}
          </a>
        )}
        <CopyButton
          text={embedCode(location.origin, stream.stream_id, stream.name)}
          what="embed code"
          label="Embed"
          icon="code"
        />
        <a class="button primary" href={watchUrl("", stream.stream_id)} target="_blank" rel="noopener">
          <Icon name="open" /> Watch page
        </a>
      </div>
    </div>
  );
}

function Vitals({ stream }: { stream: StreamDetails }) {
  const isOn = stream.state === "live" || stream.state === "reconnecting";
  const onAir = isOn && stream.started_at ? spanText(Date.now() - Date.parse(stream.started_at)) : "—";
  const vitals = [
    ["Viewers", isOn ? stream.viewers.toLocaleString("en") : "—"],
    ["From the encoder", isOn ? bitrateText(stream.bitrate_bps) : "—"],
    ["Latency", isOn && stream.latency_ms !== null ? delayText(stream.latency_ms / 1000) : "—"],
    ["On air", onAir],
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
