import { asSentence } from "../text/sentence.ts";

/** An answer of the API that is not a success: what an RFC 9457 problem body says, for a person to read. */
export class ApiProblem extends Error {
  /** HTTP status; 0 when no answer came at all. */
  readonly status: number;
  readonly title: string;

  constructor(status: number, title: string, detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.name = "ApiProblem";
    this.status = status;
    this.title = title;
  }
}

/** The problem that a failed answer stands for; falls back to plain words when the body is not a problem body. */
export function problemOf(status: number, body: unknown): ApiProblem {
  const fields: { title?: unknown; detail?: unknown } = typeof body === "object" && body !== null ? body : {};
  const title = textOr(fields.title, `The server answered ${status}`);
  return new ApiProblem(status, title, textOr(fields.detail, title));
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === "string" && value !== "" ? value : otherwise;
}

/** One sentence for a person about anything that was thrown. */
export function sentenceOf(error: unknown): string {
  return asSentence(error instanceof Error ? error.message : String(error));
}
