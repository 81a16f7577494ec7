import { useState } from "preact/hooks";
import { api } from "../api/client.ts";
import { sentenceOf } from "../api/problem.ts";
import { Dialog } from "../ui/dialog.tsx";
import { Problem } from "../ui/problem.tsx";

interface ImportDialogProps {
  onClose: () => void;
  onStarted: (jobId: string, url: string) => void;
}

/** Asks where a film is that the server shall fetch itself. */
export function ImportDialog({ onClose, onStarted }: ImportDialogProps) {
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget as HTMLFormElement);
    const [url, title] = [String(fields.get("url")).trim(), String(fields.get("title")).trim()];
    setBusy(true);
    setProblem(undefined);
    try {
      onStarted((await api.importVideo(url, title)).job_id, url);
    } catch (error) {
      setProblem(sentenceOf(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title="Import from a URL" onClose={onClose} isLight={false}>
      <form class="create" onSubmit={submit}>
        <label class="field">
          <span>Address of the file</span>
          <input
            type="url"
            name="url"
            required
            placeholder="https://example.org/film.mp4"
            autocomplete="off"
            autofocus
          />
        </label>
        <label class="field">
          <span>Title</span>
          <input type="text" name="title" maxLength={200} placeholder="The file's name" autocomplete="off" />
        </label>
        <Problem text={problem} />
        <div class="dialog-actions">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="button primary" disabled={isBusy}>
            Import
          </button>
        </div>
      </form>
    </Dialog>
  );
}
