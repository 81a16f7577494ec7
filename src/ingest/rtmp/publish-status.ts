import { DomainError, type ErrorCode } from "../../core/errors.ts";
import type { Status } from "./wire/messages.ts";

/**
 * Codes for a publish that is refused and for one that is ended. ffmpeg, librtmp and GStreamer stop at any of level
 * "error" or of these codes, and show the description. BadName is the spec's answer to a bad key and to a busy one.
 */
const REFUSED = "NetStream.Publish.BadName";
const ENDED = "NetStream.Publish.Rejected";

/** Added to the error's own message: what the person at the encoder can do about it. */
const ADVICE: Partial<Record<ErrorCode, string>> = {
  STREAM_KEY_UNKNOWN: "Copy it again from the studio.",
  ADDRESS_BLOCKED: "Wait five minutes, then use the right key.",
  STREAM_BUSY: "Stop the other one first.",
  LIMIT_REACHED: "Try again later.",
  BITRATE_EXCEEDED: "Lower the bit rate in your encoder.",
};

/** What an encoder is told when its publish is refused because of `error`. */
export function refusedStatus(error: unknown): Status {
  return { level: "error", code: REFUSED, description: descriptionOf(error) };
}

/** What an encoder is told when its running publish ends because of `error`. */
export function endedStatus(error: unknown): Status {
  return { level: "error", code: ENDED, description: descriptionOf(error) };
}

/** Only a DomainError speaks to people; anything else is our own trouble and stays in the log. */
function descriptionOf(error: unknown): string {
  if (!(error instanceof DomainError)) return "Something went wrong inside the server.";
  const message = error.message.replace(/([^.!?])$/, "$1.");
  const advice = ADVICE[error.code];
  return advice ? `${message} ${advice}` : message;
}
