import { z } from "zod";
import type { JsonObject } from "../core/json.ts";
import type { StoredRendition, StoredSegment, StoredVideo } from "../packaging/stored-rendition.ts";
import { readRenditionInit, readSegments, renditionInitJson, segmentsJson } from "./rendition-json.ts";

const optional = z.string().optional();
const count = z.number().min(0);
/** Read by `rendition-json.ts`, which looks at all of it. */
const json = z.custom<JsonObject>((value) => typeof value === "object");

const rendition = z.strictObject({
  id: z.string(),
  kind: z.enum(["video", "audio"]),
  origin: z.enum(["source", "rung"]),
  epoch: z.string(),
  audioRenditionId: optional,
  language: optional,
  label: optional,
  isComplete: z.boolean(),
  init: json,
  chunks: z.array(z.strictObject({ keyPrefix: z.string(), segments: z.array(json) })),
});

const text = z.strictObject({
  ...{ id: z.string(), epoch: z.string(), language: z.string(), label: z.string(), isForced: z.boolean() },
  ...{ key: z.string(), sizeBytes: count },
});

const storyboard = z.strictObject({
  ...{ tileWidth: count, tileHeight: count, columnCount: count, rowCount: count, intervalMs: count },
  ...{ imageNames: z.array(z.string()), sizeBytes: count },
});

const file = z.strictObject({ key: z.string(), contentType: z.string(), sizeBytes: count, downloadName: optional });

const video = z.strictObject({
  ...{
    revision: z.int(),
    updatedAtMs: count,
    isPlayable: z.boolean(),
    isFinal: z.boolean(),
    durationMs: count.optional(),
  },
  ...{ segmentTargetMs: count, targetDurationS: count },
  renditions: z.array(rendition),
  texts: z.array(text),
  storyboard: storyboard.optional(),
  files: z.array(z.tuple([z.string(), file])),
});

/** A video as text, for whoever reads it with `readStoredVideo` of the same version. */
export function writeStoredVideo(stored: StoredVideo): string {
  const renditions = stored.renditions.map(({ segments, format, timescale, leadTicks, initBytes, ...told }) => ({
    ...told,
    init: renditionInitJson({ format, timescale, leadTicks, bytes: initBytes }),
    chunks: chunksOf(segments).map(([keyPrefix, own]) => ({ keyPrefix, segments: segmentsJson(own) })),
  }));
  return JSON.stringify({ ...stored, renditions, files: [...stored.files] });
}

/** Throws SyntaxError or ZodError for what `writeStoredVideo` did not write. */
export function readStoredVideo(written: string): StoredVideo {
  const { renditions, files, storyboard, durationMs, ...told } = video.parse(JSON.parse(written));
  return { ...told, storyboard, durationMs, renditions: renditions.map(readRendition), files: new Map(files) };
}

function readRendition({ init, chunks, ...told }: z.output<typeof rendition>): StoredRendition {
  const { audioRenditionId, language, label } = told;
  const { format, timescale, leadTicks, bytes: initBytes } = readRenditionInit(init);
  const segments = chunks.flatMap(readSegments);
  return { ...told, audioRenditionId, language, label, format, timescale, leadTicks, initBytes, segments };
}

/** Runs of segments under one prefix, which their keys follow from. */
function chunksOf(segments: readonly StoredSegment[]): readonly (readonly [string, readonly StoredSegment[]])[] {
  const byPrefix = Map.groupBy(segments, ({ key }) => key.slice(0, key.lastIndexOf("/") + 1));
  return [...byPrefix];
}
