import { useCallback, useEffect, useState } from "preact/hooks";
import { api } from "../api/client.ts";
import type { RequestedDownload, VideoDownload } from "../api/model.ts";
import { ApiProblem, sentenceOf } from "../api/problem.ts";
import { asSentence } from "../text/sentence.ts";
import { usePoll } from "../ui/poll.ts";
import { POLL_MS } from "./streams-view.tsx";

interface DownloadButtonProps {
  /** The file, when it is known to be there. */
  download: VideoDownload | undefined;
  /** May be called again while the file is being made. */
  onRequest: () => Promise<RequestedDownload>;
}

/** The file of a rendition: made when somebody asks for it; why it could not be made is said beside the button. */
export function DownloadButton({ download, onRequest }: DownloadButtonProps) {
  const [requested, setRequested] = useState<RequestedDownload>();
  const [isAsking, setAsking] = useState(false);
  const [problem, setProblem] = useState<string>();
  const url = download?.url ?? (requested?.job_id === null ? requested.url : undefined);
  if (url !== undefined) {
    return (
      <a class="button quiet" href={url} download="">
        Download
      </a>
    );
  }
  const fail = (why: string) => {
    setRequested(undefined);
    setProblem(asSentence(why));
  };
  const ask = async () => {
    setAsking(true);
    setProblem(undefined);
    await onRequest().then(setRequested, (error) => fail(sentenceOf(error)));
    setAsking(false);
  };
  const isMaking = isAsking || requested !== undefined;
  return (
    <>
      <button type="button" class="button quiet" disabled={isMaking} onClick={ask}>
        {isMaking ? "Making the file …" : "Make a file"}
      </button>
      {requested?.job_id && <FollowedJob jobId={requested.job_id} onCompleted={ask} onFailed={fail} />}
      <span class="failed" role="alert">
        {problem}
      </span>
    </>
  );
}

interface FollowedJobProps {
  jobId: string;
  onCompleted: () => void;
  onFailed: (why: string) => void;
}

/** Asks for a job until it has ended; nothing to be seen. */
function FollowedJob({ jobId, onCompleted, onFailed }: FollowedJobProps) {
  const { value: job, problem } = usePoll(
    useCallback((signal: AbortSignal) => api.job(jobId, signal), [jobId]),
    POLL_MS,
  );
  useEffect(() => {
    if (job?.state === "completed") onCompleted();
    if (job?.state === "failed") onFailed(job.error?.message ?? "The file could not be made");
    if (job?.state === "cancelled") onFailed("The making of the file was stopped");
    if (problem instanceof ApiProblem && problem.status === 404) onFailed(problem.message);
  }, [job, problem]);
  return null;
}
