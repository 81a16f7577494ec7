import type { StreamRecord } from "../catalog/stream-record.ts";
import type { RecordedBroadcast } from "../library/recording/recordings.ts";
import type { Run } from "./run.ts";

/** A run as it is recorded. */
export function recordedBroadcast({ streamId, name }: StreamRecord, run: Run): RecordedBroadcast {
  return {
    streamId,
    title: name ?? streamId,
    presentation: run.packager,
    expectedIds: () => run.expectedIds,
    isOpen: () => run.presentation !== undefined,
  };
}
