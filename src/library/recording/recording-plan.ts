import { z } from "zod";
import { parseStreamId } from "../../core/ids.ts";

const streamId = z.string().transform((id, context) => {
  const parsed = parseStreamId(id);
  if (parsed) return parsed;
  context.addIssue({ code: "custom", message: "no stream has such an id" });
  return z.NEVER;
});

/** Time of the broadcast that is not in the video, because it could not be stored. */
const gap = z.strictObject({
  /** Where it is missing, since the beginning of the video. */
  atMs: z.number().min(0),
  durationMs: z.number().positive(),
});

/** What a recording is: kept where other videos have their plan. */
export const recordingPlanSchema = z.strictObject({
  road: z.literal("record"),
  streamId,
  /** Wall clock of its first media. */
  startedAtMs: z.number(),
  /** Of the broadcast's packaging. */
  segmentTargetMs: z.number().positive(),
  targetDurationS: z.int().positive(),
  gaps: z.array(gap),
});

export type RecordingPlan = z.output<typeof recordingPlanSchema>;
