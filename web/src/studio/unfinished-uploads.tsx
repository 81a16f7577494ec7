import { useEffect, useState } from "preact/hooks";
import type { UploadView } from "./file-sending.ts";
import { type UnfinishedUpload, unfinishedUploads } from "./kept-uploads.ts";

/** What an earlier page left half sent: browsers forget the file, so only its owner can go on with it. */
export function UnfinishedUploads({ uploads }: { uploads: readonly UploadView[] }) {
  const [unfinished, setUnfinished] = useState<readonly UnfinishedUpload[]>([]);
  // What is over in any way is no longer kept.
  const states = uploads.map(({ id, state }) => `${id} ${state}`).join();
  useEffect(() => {
    void unfinishedUploads().then(setUnfinished);
  }, [states]);
  const shown = unfinished.filter((upload) => !uploads.some(({ name }) => name === upload.name));
  if (shown.length === 0) return null;
  const forget = () => {
    for (const upload of shown) upload.forget();
    setUnfinished([]);
  };
  return (
    <div class="once unfinished" role="status">
      <p>
        Not finished: <b>{shown.map(({ name }) => name).join(", ")}</b>. Choose{" "}
        {shown.length === 1 ? "the file" : "a file"} again, and its upload goes on where it was.
      </p>
      <button type="button" class="button quiet" onClick={forget}>
        Forget
      </button>
    </div>
  );
}
