/** The part of the database's schema that is the queue's. */
export interface JobSchema {
  readonly job: JobTableRow;
}

/** States as the table has them: a job whose `run_at_ms` lies ahead is `waiting` here and `delayed` to its owner. */
export type StoredJobState = "waiting" | "active" | "completed" | "failed" | "cancelled";

/** A row. JSON is text; `attempt_id`, `worker_id` and `lease_until_ms` are there while it is active. */
export interface JobTableRow {
  readonly job_id: string;
  readonly kind: string;
  readonly data: string;
  readonly state: string;
  readonly priority: number;
  readonly run_at_ms: number;
  readonly attempt_count: number;
  readonly max_attempts: number;
  readonly back_off: string;
  /** Null as soon as the job has ended, so that the next one may have it. */
  readonly dedup_key: string | null;
  readonly progress: string | null;
  readonly result: string | null;
  readonly error: string | null;
  readonly attempt_id: string | null;
  readonly worker_id: string | null;
  readonly lease_until_ms: number | null;
  readonly created_at_ms: number;
  readonly started_at_ms: number | null;
  readonly finished_at_ms: number | null;
}
