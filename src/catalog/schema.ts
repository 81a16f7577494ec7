/**
 * Tables as SQL has them, alike on SQLite and PostgreSQL: ids are text, instants are whole milliseconds since the Unix
 * epoch, JSON is text that the repositories parse, a truth value is 0 or 1.
 */
export interface CatalogSchema {
  readonly stream: StreamTable;
}

export interface StreamTable {
  readonly stream_id: string;
  readonly name: string | null;
  readonly ingest_type: string;
  readonly status: string;
  readonly key_hash: string;
  readonly key_hint: string;
  readonly settings: string;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
  readonly last_heartbeat_at_ms: number | null;
  readonly next_msn: number;
  readonly discontinuity_sequence: number;
  readonly broadcast_started_at_ms: number | null;
  readonly broadcast_ended_at_ms: number | null;
  readonly error: string | null;
}
