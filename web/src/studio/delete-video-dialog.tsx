import { useState } from "preact/hooks";
import { api } from "../api/client.ts";
import type { VideoSummary } from "../api/model.ts";
import { sentenceOf } from "../api/problem.ts";
import { Dialog } from "../ui/dialog.tsx";
import { Problem } from "../ui/problem.tsx";

interface DeleteVideoDialogProps {
  video: VideoSummary;
  onClose: () => void;
  onDeleted: () => void;
}

/** Says what deleting takes away before it does. */
export function DeleteVideoDialog({ video, onClose, onDeleted }: DeleteVideoDialogProps) {
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const remove = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await api.removeVideo(video.video_id);
      onDeleted();
    } catch (error) {
      setProblem(sentenceOf(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title={`Delete “${video.title}”?`} onClose={onClose}>
      <p>The original and everything made of it go, and its watch page stops working. This cannot be undone.</p>
      <Problem text={problem} />
      <form class="dialog-actions" onSubmit={remove}>
        <button type="button" class="button" onClick={onClose}>
          Keep it
        </button>
        <button type="submit" class="button danger solid" disabled={isBusy}>
          Delete video
        </button>
      </form>
    </Dialog>
  );
}
