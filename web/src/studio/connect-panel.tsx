import { useCallback, useState } from "preact/hooks";
import { api } from "../api/client.ts";
import type { KeyGrant, StreamDetails } from "../api/model.ts";
import { sentenceOf } from "../api/problem.ts";
import { embedCode, watchUrl } from "../text/snippets.ts";
import { CopyField } from "../ui/copy-field.tsx";
import { Icon } from "../ui/icon.tsx";
import { usePoll } from "../ui/poll.ts";
import { Problem } from "../ui/problem.tsx";

const SERVER_POLL_MS = 60_000;

interface ConnectPanelProps {
  stream: StreamDetails;
  onGrant: (grant: KeyGrant) => void;
}

/** Where the encoder sends to, and the way to a new key. */
export function ConnectPanel({ stream, onGrant }: ConnectPanelProps) {
  const load = useCallback((signal: AbortSignal) => api.server(signal), []);
  const server = usePoll(load, SERVER_POLL_MS).value?.rtmp_server;
  const [isAsking, setAsking] = useState(false);
  const [problem, setProblem] = useState<string>();
  const rotate = async () => {
    setAsking(false);
    setProblem(undefined);
    try {
      onGrant(await api.rotateKey(stream.stream_id));
    } catch (error) {
      setProblem(sentenceOf(error));
    }
  };
  return (
    <section class="panel">
      <h2>Encoder</h2>
      {server && <CopyField label="Server" value={server} />}
      <div class="copy-field">
        <span class="copy-label">Stream key</span>
        <div class="copy-box">
          <code class="masked">sk_••••••••••••••••</code>
          <button type="button" class="button quiet" onClick={() => setAsking(true)} disabled={isAsking}>
            <Icon name="turn" /> New key
          </button>
        </div>
        {!isAsking && <p class="hint">A key is shown once, when it is made. Lost it? Make a new one.</p>}
      </div>
      {isAsking && (
        <fieldset class="confirm" aria-label="Confirm the new key">
          <p>
            The old key stops working at once{stream.state === "live" && ", for the next connection of your encoder"}.
          </p>
          <div class="actions">
            <button type="button" class="button" onClick={() => setAsking(false)}>
              Keep the old one
            </button>
            <button type="button" class="button primary" onClick={rotate}>
              Make a new key
            </button>
          </div>
        </fieldset>
      )}
      <Problem text={problem} />
    </section>
  );
}

/** The addresses that leave the house. */
export function SharePanel({ stream }: { stream: StreamDetails }) {
  const { origin } = location;
  return (
    <section class="panel">
      <h2>Share</h2>
      <CopyField label="Watch page" value={watchUrl(origin, stream.stream_id)} />
      <CopyField label="Embed code" value={embedCode(origin, stream.stream_id, stream.name)} />
      {stream.hls_url && <CopyField label="HLS" value={new URL(stream.hls_url, origin).href} />}
      {stream.dash_url && <CopyField label="DASH" value={new URL(stream.dash_url, origin).href} />}
    </section>
  );
}
