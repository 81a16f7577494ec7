import { useCallback } from "preact/hooks";
import { api } from "../api/client.ts";
import type { KeyGrant, StreamSummary } from "../api/model.ts";
import { ffmpegLine, gstreamerLine } from "../text/snippets.ts";
import { CopyField } from "../ui/copy-field.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { Icon } from "../ui/icon.tsx";
import { usePoll } from "../ui/poll.ts";
import { Tabs } from "../ui/tabs.tsx";

interface KeyDialogProps {
  stream: StreamSummary;
  grant: Partial<KeyGrant>;
  isNew?: boolean;
  onClose: () => void;
}

const NEVER_MS = 2 ** 30;

/** Shows a stream key, this once, in the form that each encoder asks for. */
export function KeyDialog({ stream, grant, isNew = false, onClose }: KeyDialogProps) {
  const load = useCallback((signal: AbortSignal) => api.server(signal), []);
  const facts = usePoll(load, NEVER_MS).value;
  const key = grant.stream_key ?? "";
  const server = facts?.rtmp_server ?? serverIn(grant.rtmp_url ?? "", key);
  return (
    <Dialog
      title={isNew ? `“${stream.name}” is ready` : `New key for “${stream.name}”`}
      onClose={onClose}
      isLight={false}
    >
      <p class="once">
        <Icon name="key" />
        <span>
          <b>Copy the key now.</b> It is shown this once and stored only as a hash. You can always make a new one.
        </span>
      </p>
      <Tabs
        label="Encoder"
        tabs={[
          {
            name: "OBS",
            panel: (
              <>
                <p class="hint">Settings → Stream → Service: Custom…</p>
                <CopyField label="Server" value={server} />
                <CopyField label="Stream key" value={key} />
                <p class="hint">Keyframe interval 2 s and, for the shortest delay, no B-frames (tune zerolatency).</p>
              </>
            ),
          },
          { name: "ffmpeg", panel: <CopyField label="Command" value={ffmpegLine(server, key)} wraps /> },
          { name: "GStreamer", panel: <CopyField label="Command" value={gstreamerLine(server, key)} wraps /> },
        ]}
      />
      <form method="dialog" class="dialog-actions">
        <button type="submit" class="button primary">
          I have copied it
        </button>
      </form>
    </Dialog>
  );
}

function serverIn(rtmpUrl: string, key: string): string {
  return key !== "" && rtmpUrl.endsWith(`/${key}`) ? rtmpUrl.slice(0, -key.length - 1) : rtmpUrl;
}
