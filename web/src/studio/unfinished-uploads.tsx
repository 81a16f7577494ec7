import { useEffect, useState } from "preact/hooks";
import { type UnfinishedUpload, unfinishedUploads } from "./upload-queue.ts";

/** What an earlier page left half sent: browsers forget the file, so only its owner can go on with it. */
export function UnfinishedUploads({ activeNames }: { activeNames: readonly string[] }) {
  const [unfinished, setUnfinished] = useState<readonly UnfinishedUpload[]>([]);
  const count = activeNames.length;
  useEffect(() => {
    void unfinishedUploads().then(setUnfinished);
  }, [count]);
  const shown = unfinished.filter(({ name }) => !activeNames.includes(name));
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
