import { z } from "zod";
import { ERRORS, type ErrorCode } from "../core/errors.ts";

const CODES = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]];

/** RFC 9457 body of every error. */
const problemSchema = z
  .looseObject({
    type: z.string().describe("A URN that names the kind of error"),
    title: z.string().describe("What this kind of error means"),
    status: z.int().min(400).max(599).describe("The HTTP status"),
    detail: z.string().optional().describe("What was wrong this time"),
    instance: z.string().optional().describe("Path of the request"),
    code: z.enum(CODES).describe("Short name of the error; see docs/errors.md"),
    errors: z
      .array(
        z.object({
          pointer: z.string().describe("JSON pointer into the body, or name of the parameter"),
          detail: z.string(),
        }),
      )
      .optional()
      .describe("Every fault of an invalid request"),
  })
  .meta({ id: "Problem" });

const MEANINGS = {
  400: "A parameter or the body's form is not valid",
  401: "Credentials are missing or wrong",
  403: "Refused: another site sent the request",
  404: "There is no such thing",
  409: "It is in conflict with what exists",
  412: "The protocol's version is another",
  413: "The body is too large",
  415: "The body is of another type",
  422: "The body has a bad value or an unknown field",
  429: "Too many at once, or too many wrong tokens from this address; Retry-After says when to try again",
  501: "Not available yet",
  503: "Cannot answer now; Retry-After says when to try again",
  507: "There is no space left for media",
} as const;

type ProblemStatus = keyof typeof MEANINGS;

/** Response entries of a route for these error statuses. */
export function problems<Status extends ProblemStatus>(...statuses: readonly Status[]) {
  const entries = statuses.map((status) => [
    status,
    { description: MEANINGS[status], content: { "application/problem+json": { schema: problemSchema } } },
  ]);
  return Object.fromEntries(entries) as Record<
    Status,
    { description: string; content: { "application/problem+json": { schema: typeof problemSchema } } }
  >;
}
