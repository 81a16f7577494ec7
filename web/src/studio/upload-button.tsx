import { useRef } from "preact/hooks";
import { Icon } from "../ui/icon.tsx";

/** Opens the browser's choice of files. */
export function UploadButton({ onFiles }: { onFiles: (files: File[]) => void }) {
  const input = useRef<HTMLInputElement>(null);
  const choose = (event: Event) => {
    const { files } = event.currentTarget as HTMLInputElement;
    if (files) onFiles([...files]);
    if (input.current) input.current.value = "";
  };
  return (
    <>
      <button type="button" class="button primary" onClick={() => input.current?.click()}>
        <Icon name="upload" /> Upload
      </button>
      <input
        ref={input}
        type="file"
        class="visually-hidden"
        tabIndex={-1}
        multiple
        accept="video/*,audio/*,.mkv,.avi"
        aria-label="Files to upload"
        onChange={choose}
      />
    </>
  );
}
