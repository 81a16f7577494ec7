import type { DetailedError, HttpRequest, HttpResponse } from "tus-js-client";
import { problemOf, sentenceOf } from "../api/problem.ts";

const LOCKED = 423;
const GONE = [404, 410];
/** They say something of whoever asks, or of the moment, and nothing of the upload. */
const PASSING = [408, 409, LOCKED, 425, 429];
const NOT_LET_IN = [401, 403, 407];

/** HEAD was answered with something that says nothing of the upload. */
class StateUnknown extends Error {
  readonly response: HttpResponse;

  constructor(response: HttpResponse) {
    super(`HEAD was answered with ${response.getStatus()}`);
    this.name = "StateUnknown";
    this.response = response;
  }
}

/**
 * For every answer that tus-js-client gets. Whatever HEAD is answered with but success and 423, it takes for the loss of the upload
 * and sends the whole file anew: an answer that does not say so is thrown, for which it asks again.
 */
export function keepUpload(request: HttpRequest, response: HttpResponse): void {
  const status = response.getStatus();
  const isAnswer = (status >= 200 && status < 300) || status === LOCKED || GONE.includes(status);
  if (request.getMethod() === "HEAD" && !isAnswer) throw new StateUnknown(response);
}

/** No answer, a fault of the server, a conflict over how far it is, or too much at once: that may be over in a moment. */
export function canPass(error: Error): boolean {
  const status = responseOf(error)?.getStatus() ?? 500;
  return status >= 500 || PASSING.includes(status);
}

/** All of it is there, and the server is about to make a video of it. */
export function isLocked(error: Error): boolean {
  return responseOf(error)?.getStatus() === LOCKED;
}

/** The server will not take it, and has forgotten what came of it. */
export function isRefused(error: Error): boolean {
  const status = responseOf(error)?.getStatus() ?? 0;
  return status >= 400 && !canPass(error) && !NOT_LET_IN.includes(status);
}

/** What the server said, or that it said nothing. */
export function sentenceFor(error: Error): string {
  const response = responseOf(error);
  if (!response) return "The connection broke.";
  if (response.getStatus() === 401) return "Your session ended. Please sign in again.";
  return sentenceOf(problemOf(response.getStatus(), parsed(response.getBody())));
}

function responseOf(error: Error): HttpResponse | undefined {
  const { originalResponse, causingError } = error as Partial<DetailedError>;
  return originalResponse ?? (causingError instanceof StateUnknown ? causingError.response : undefined);
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    // Not of this server, then: something in front of it.
    return undefined;
  }
}
