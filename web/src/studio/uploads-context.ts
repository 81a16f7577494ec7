import { createContext } from "preact";
import { useContext, useEffect, useMemo, useState } from "preact/hooks";
import type { UploadView } from "./file-sending.ts";
import { UploadQueue } from "./upload-queue.ts";

/** The uploads of this page, and how they are moved; they go on whatever view is seen. */
export interface Uploads {
  readonly uploads: readonly UploadView[];
  /** Counts up whenever an upload has become a video. */
  readonly sentCount: number;
  readonly queue: UploadQueue;
}

const UploadsContext = createContext<Uploads | undefined>(undefined);
export const UploadsProvider = UploadsContext.Provider;

/** One queue for the life of the page. Leaving while it sends asks first. */
export function useUploadQueue(): Uploads {
  const [uploads, setUploads] = useState<readonly UploadView[]>([]);
  const [sentCount, setSentCount] = useState(0);
  const queue = useMemo<UploadQueue>(
    () =>
      new UploadQueue({
        onChange: () => setUploads(queue.uploads),
        onSent: () => setSentCount((count) => count + 1),
      }),
    [],
  );
  useEffect(() => {
    const ask = (event: BeforeUnloadEvent) => {
      if (queue.isSending) event.preventDefault();
    };
    window.addEventListener("beforeunload", ask);
    return () => window.removeEventListener("beforeunload", ask);
  }, [queue]);
  return { uploads, sentCount, queue };
}

export function useUploads(): Uploads {
  const uploads = useContext(UploadsContext);
  if (!uploads) throw new Error("no upload queue above this view");
  return uploads;
}
