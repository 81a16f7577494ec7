import type { Selectable } from "kysely";
import { DomainError } from "../core/errors.ts";
import { parseVideoId, type VideoId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { VideoArtifactTable, VideoChunkTable, VideoRenditionTable, VideoTable } from "./schema.ts";
import {
  RENDITION_STATUSES,
  VIDEO_STATUSES,
  type VideoArtifactRecord,
  type VideoChunkRecord,
  type VideoRecord,
  type VideoRenditionRecord,
} from "./video-record.ts";

const KINDS = ["video", "audio", "text"] as const;
const ORIGINS = ["source", "rung"] as const;

export function toVideoRecord(row: Selectable<VideoTable>): VideoRecord {
  return {
    videoId: toVideoId(row.video_id),
    title: row.title,
    description: row.description,
    status: oneOf(VIDEO_STATUSES, row.status, row),
    source: sourceOf(row),
    metadata: row.metadata === null ? null : readJson(row.metadata),
    plan: row.plan === null ? null : readJson(row.plan),
    durationMs: row.duration_ms,
    error: row.error_code === null ? null : { code: row.error_code, message: row.error_message ?? "" },
    revision: row.revision,
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    playableAtMs: row.playable_at_ms,
    readyAtMs: row.ready_at_ms,
  };
}

export function toRenditionRecord(row: Selectable<VideoRenditionTable>): VideoRenditionRecord {
  return {
    videoId: toVideoId(row.video_id),
    renditionId: row.rendition_id,
    kind: oneOf(KINDS, row.kind, row),
    origin: oneOf(ORIGINS, row.origin, row),
    epoch: row.epoch,
    status: oneOf(RENDITION_STATUSES, row.status, row),
    position: row.position,
    spec: readJson(row.spec),
    init: row.init === null ? null : readJson(row.init),
    chunkCount: row.chunk_count,
    error: row.error,
    begunAtMs: row.begun_at_ms,
  };
}

export function toChunkRecord(row: Selectable<VideoChunkTable>): VideoChunkRecord {
  return {
    videoId: toVideoId(row.video_id),
    renditionId: row.rendition_id,
    epoch: row.epoch,
    index: row.chunk_index,
    keyPrefix: row.key_prefix,
    segments: readJson(row.segments),
  };
}

export function toArtifactRecord(row: Selectable<VideoArtifactTable>): VideoArtifactRecord {
  return {
    videoId: toVideoId(row.video_id),
    name: row.name,
    key: row.key,
    contentType: row.content_type,
    sizeBytes: row.size_bytes,
    details: row.details === null ? null : readJson(row.details),
  };
}

export function toVideoId(text: string): VideoId {
  const videoId = parseVideoId(text);
  if (!videoId) throw new DomainError("INTERNAL", `the catalog holds a video with the impossible id ${text}`);
  return videoId;
}

function sourceOf({
  source_key: key,
  source_file_name: fileName,
  source_size_bytes: sizeBytes,
}: Selectable<VideoTable>) {
  return key === null ? null : { key, fileName: fileName ?? "", sizeBytes: sizeBytes ?? 0 };
}

/** JSON that the repository wrote, in the shape that it wrote. */
function readJson<Value extends JsonObject | readonly JsonObject[]>(text: string): Value {
  return JSON.parse(text);
}

function oneOf<Word extends string>(words: readonly Word[], text: string, { video_id }: { video_id: string }): Word {
  const word = words.find((each) => each === text);
  if (word === undefined)
    throw new DomainError("INTERNAL", `video ${video_id}: the catalog holds an unknown "${text}"`);
  return word;
}
