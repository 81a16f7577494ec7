/**
 * Tables as SQL has them, alike on SQLite and PostgreSQL: ids are text, instants are whole milliseconds since the Unix
 * epoch, JSON is text that the repositories parse, a truth value is 0 or 1.
 */
export interface CatalogSchema {
  readonly stream: StreamTable;
  readonly video: VideoTable;
  readonly video_rendition: VideoRenditionTable;
  readonly video_chunk: VideoChunkTable;
  readonly video_artifact: VideoArtifactTable;
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
  readonly video_id: string | null;
}

export interface VideoTable {
  readonly video_id: string;
  readonly title: string | null;
  readonly description: string | null;
  readonly status: string;
  readonly source_key: string | null;
  readonly source_file_name: string | null;
  readonly source_size_bytes: number | null;
  readonly metadata: string | null;
  readonly plan: string | null;
  readonly duration_ms: number | null;
  readonly error_code: string | null;
  readonly error_message: string | null;
  readonly revision: number;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
  readonly playable_at_ms: number | null;
  readonly ready_at_ms: number | null;
}

export interface VideoRenditionTable {
  readonly video_id: string;
  readonly rendition_id: string;
  readonly kind: string;
  readonly origin: string;
  readonly epoch: string;
  readonly status: string;
  readonly position: number;
  readonly spec: string;
  /** Canonical, so that equal ones are equal as text. */
  readonly init: string | null;
  readonly chunk_count: number | null;
  readonly error: string | null;
  readonly begun_at_ms: number | null;
}

export interface VideoChunkTable {
  readonly video_id: string;
  readonly rendition_id: string;
  readonly epoch: string;
  readonly chunk_index: number;
  readonly key_prefix: string;
  readonly segments: string;
}

export interface VideoArtifactTable {
  readonly video_id: string;
  readonly name: string;
  readonly key: string;
  readonly content_type: string;
  readonly size_bytes: number;
  readonly details: string | null;
}
