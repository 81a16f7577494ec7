import { useState } from "preact/hooks";
import { api } from "../api/client.ts";
import type { StreamSummary } from "../api/model.ts";
import { sentenceOf } from "../api/problem.ts";
import { countText } from "../text/figures.ts";
import { Dialog } from "../ui/dialog.tsx";
import { Problem } from "../ui/problem.tsx";

interface DeleteDialogProps {
  stream: StreamSummary;
  onClose: () => void;
  onDeleted: () => void;
}

/** Says what deleting takes away before it does. */
export function DeleteDialog({ stream, onClose, onDeleted }: DeleteDialogProps) {
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const remove = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await api.remove(stream.stream_id);
      onDeleted();
    } catch (error) {
      setProblem(sentenceOf(error));
      setBusy(false);
    }
  };
  const isLive = stream.state === "live" || stream.state === "reconnecting";
  return (
    <Dialog title={`Delete “${stream.name}”?`} onClose={onClose}>
      <p>
        {isLive && (
          <>
            <b>It is on air{stream.viewers > 0 && ` with ${countText(stream.viewers, "viewer", "viewers")}`}.</b> The
            broadcast ends at once.{" "}
          </>
        )}
        Its key and its watch page stop working. This cannot be undone.
      </p>
      <Problem text={problem} />
      <form class="dialog-actions" onSubmit={remove}>
        <button type="button" class="button" onClick={onClose}>
          Keep it
        </button>
        <button type="submit" class="button danger solid" disabled={isBusy}>
          Delete stream
        </button>
      </form>
    </Dialog>
  );
}
