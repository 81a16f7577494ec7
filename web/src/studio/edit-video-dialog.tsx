import { useState } from "preact/hooks";
import { api } from "../api/client.ts";
import type { VideoDetails } from "../api/model.ts";
import { sentenceOf } from "../api/problem.ts";
import { Dialog } from "../ui/dialog.tsx";
import { Problem } from "../ui/problem.tsx";
import { cutTitle } from "./file-title.ts";

interface EditVideoDialogProps {
  video: VideoDetails;
  onClose: () => void;
  onChanged: () => void;
}

/** Title and description. */
export function EditVideoDialog({ video, onClose, onChanged }: EditVideoDialogProps) {
  const [problem, setProblem] = useState<string>();
  const save = async (event: Event) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget as HTMLFormElement);
    try {
      await api.changeVideo(video.video_id, {
        title: `${fields.get("title") ?? ""}`.trim() || null,
        description: `${fields.get("description") ?? ""}`.trim() || null,
      });
      onChanged();
    } catch (error) {
      setProblem(sentenceOf(error));
    }
  };
  return (
    <Dialog title="Edit video" onClose={onClose} isLight={false}>
      <form class="create" onSubmit={save}>
        <label class="field">
          <span>Title</span>
          <input type="text" name="title" maxLength={200} defaultValue={cutTitle(video.title)} />
        </label>
        <label class="field">
          <span>Description</span>
          <textarea name="description" rows={5} maxLength={5000} defaultValue={video.description ?? ""} />
        </label>
        <Problem text={problem} />
        <div class="dialog-actions">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="button primary">
            Save
          </button>
        </div>
      </form>
    </Dialog>
  );
}
