import { z } from "zod";
import { DomainError } from "../core/errors.ts";
import { videoTextFields } from "./video-schemas.ts";

const file = z.string().meta({ format: "binary" }).describe("MP4, MKV, AVI, MOV or WebM");
const blankIsNone = (text: string) => (text === "" ? null : text);
const texts = {
  title: videoTextFields.title.transform(blankIsNone).optional().describe("The file's name when it is left out"),
  description: videoTextFields.description.transform(blankIsNone).optional(),
};
type TextName = keyof typeof texts;

export const uploadVideoSchema = z.object({ video: file, ...texts }).meta({ id: "UploadVideo" });

export const uploadFileSchema = z
  .object({
    file,
    ...texts,
    stream_id: z.string().optional().describe("A stream of which this is to be the video"),
  })
  .meta({ id: "UploadFile" });

export const importVideoSchema = z
  .strictObject({
    url: z.string().min(1).max(2048).describe("http or https"),
    title: videoTextFields.title.nullable().default(null).describe("The file's name when it is left out"),
    description: videoTextFields.description.nullable().default(null),
  })
  .meta({ id: "ImportVideo" });

export const importStartedSchema = z
  .object({
    video_id: z.uuid().describe("Of the video that it will be"),
    job_id: z.string().describe("Follow it at /api/v1/jobs/{id}"),
  })
  .meta({ id: "ImportStarted" });

/** VS's body. */
export const videoUploadedSchema = z
  .object({
    videoId: z.uuid(),
    message: z.string(),
    metadata: z.object({
      duration: z.number().describe("Seconds"),
      format: z.string(),
      width: z.int(),
      height: z.int(),
      bitrate: z.int().describe("Bits per second"),
      fps: z.number(),
      codec: z.string(),
    }),
  })
  .meta({ id: "VideoUploaded" });

/** Throws INVALID_REQUEST when a field of an upload is known and not valid. */
export function checkUploadText(name: string, value: string): void {
  if (isTextName(name)) readText(name, value);
}

/** A text that came with an upload; null when it did not, or is blank. Throws INVALID_REQUEST. */
export function readText(name: TextName, value: string | undefined): string | null {
  const { success, data, error } = texts[name].safeParse(value);
  if (success) return data ?? null;
  throw new DomainError("INVALID_REQUEST", `${name}: ${error.issues[0]?.message ?? "is not valid"}`);
}

function isTextName(name: string): name is TextName {
  return name in texts;
}
