import { Dialog } from "../ui/dialog.tsx";

interface StopVideoDialogProps {
  title: string;
  /** Its beginning is there. */
  isPlayable: boolean;
  onClose: () => void;
  onStop: () => void;
}

/** Says what stopping leaves of a video before it does. */
export function StopVideoDialog({ title, isPlayable, onClose, onStop }: StopVideoDialogProps) {
  const stop = (event: Event) => {
    event.preventDefault();
    onStop();
  };
  return (
    <Dialog title={`Stop making “${title}”?`} onClose={onClose}>
      <p>
        {isPlayable
          ? "What is there of it can still be watched. What is missing is not made, unless you ask for it again."
          : "Nothing of it can be watched yet. It is not made, unless you ask for it again."}
      </p>
      <form class="dialog-actions" onSubmit={stop}>
        <button type="button" class="button" onClick={onClose}>
          Go on making it
        </button>
        <button type="submit" class="button danger solid">
          Stop
        </button>
      </form>
    </Dialog>
  );
}
