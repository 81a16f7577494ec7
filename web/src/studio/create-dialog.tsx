import { useState } from "preact/hooks";
import { api } from "../api/client.ts";
import type { CreatedStream, CreateStream } from "../api/model.ts";
import { sentenceOf } from "../api/problem.ts";
import { Dialog } from "../ui/dialog.tsx";
import { Problem } from "../ui/problem.tsx";
import { Switch } from "../ui/switch.tsx";

const QUALITIES = ["2160p", "1080p", "720p", "480p", "360p", "240p"] as const;

interface CreateDialogProps {
  onClose: () => void;
  onCreated: (stream: CreatedStream) => void;
}

/** Asks what a new stream shall be like. Everything has a good default; a name is all one thinks of. */
export function CreateDialog({ onClose, onCreated }: CreateDialogProps) {
  const [name, setName] = useState("");
  const [isLowLatency, setLowLatency] = useState(true);
  const [isTranscoded, setTranscoded] = useState(true);
  const [isRecorded, setRecorded] = useState(false);
  const [qualities, setQualities] = useState<readonly string[]>([]);
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);

  const toggle = (quality: string) =>
    setQualities((chosen) => (chosen.includes(quality) ? chosen.filter((q) => q !== quality) : [...chosen, quality]));
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    try {
      onCreated(await api.create(requestOf({ name, isLowLatency, isTranscoded, isRecorded, qualities })));
    } catch (error) {
      setProblem(sentenceOf(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title="New stream" onClose={onClose} isLight={false}>
      <form class="create" onSubmit={submit}>
        <label class="field">
          <span>Name</span>
          <input
            type="text"
            maxLength={100}
            placeholder="Sunday service"
            autocomplete="off"
            autofocus
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </label>
        <Switch isOn={isLowLatency} onChange={setLowLatency} label="Low latency">
          About two seconds behind the camera. Off: longer segments, calmer on weak networks.
        </Switch>
        <Switch isOn={isTranscoded} onChange={setTranscoded} label="Quality ladder">
          Lower qualities beside the original, for viewers with less bandwidth. Costs processor time.
        </Switch>
        {isTranscoded && (
          <fieldset>
            <legend>Qualities</legend>
            <div class="chips">
              {QUALITIES.map((quality) => (
                <label key={quality} class="chip">
                  <input type="checkbox" checked={qualities.includes(quality)} onChange={() => toggle(quality)} />
                  <span>{quality}</span>
                </label>
              ))}
            </div>
            <p class="hint">
              {qualities.length === 0 ? "None chosen: the standard ladder." : "Only these."} Nothing is ever scaled up.
            </p>
          </fieldset>
        )}
        <Switch isOn={isRecorded} onChange={setRecorded} label="Recording">
          Every broadcast becomes a video, playable from its start while it is live. Costs space, no processor time.
        </Switch>
        <Problem text={problem} />
        <div class="dialog-actions">
          <button type="submit" class="button primary" disabled={isBusy}>
            Create stream
          </button>
        </div>
      </form>
    </Dialog>
  );
}

interface Choices {
  name: string;
  isLowLatency: boolean;
  isTranscoded: boolean;
  isRecorded: boolean;
  qualities: readonly string[];
}

function requestOf({ name, isLowLatency, isTranscoded, isRecorded, qualities }: Choices): CreateStream {
  const chosen = QUALITIES.filter((quality) => qualities.includes(quality));
  return {
    ingest_type: "rtmp",
    low_latency: isLowLatency,
    transcode: isTranscoded,
    // Off follows the configuration.
    ...(isRecorded && { record: true }),
    ...(name.trim() !== "" && { name: name.trim() }),
    ...(isTranscoded && chosen.length > 0 && { qualities: chosen }),
  };
}
