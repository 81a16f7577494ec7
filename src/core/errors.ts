/** What an error means to whoever caused it, independent of the protocol that carries the answer. */
export type ErrorCategory = "invalid" | "denied" | "not-found" | "conflict" | "exhausted" | "unavailable" | "internal";

/** Every error that leaves Headwater by name: code -> category and what a person reads. docs/errors.md is tested against it. */
export const ERRORS = {
  INVALID_REQUEST: { category: "invalid", title: "The request is not valid" },
  INVALID_CONFIG: { category: "invalid", title: "The configuration is not valid" },
  MALFORMED_INPUT: { category: "invalid", title: "The input does not follow its format" },
  UNAUTHENTICATED: { category: "denied", title: "Credentials are missing or wrong" },
  CROSS_SITE_REQUEST: { category: "denied", title: "A page of another site sent this request" },
  STREAM_KEY_UNKNOWN: { category: "denied", title: "The stream key is unknown" },
  ADDRESS_BLOCKED: { category: "denied", title: "Too many wrong keys came from this address" },
  NOT_FOUND: { category: "not-found", title: "There is nothing at this address" },
  STREAM_NOT_FOUND: { category: "not-found", title: "No stream has this id" },
  STREAM_NOT_LIVE: { category: "not-found", title: "The stream is not live" },
  VIDEO_NOT_FOUND: { category: "not-found", title: "No video has this id" },
  JOB_NOT_FOUND: { category: "not-found", title: "No job has this id" },
  WORKER_LOST: { category: "unavailable", title: "The worker ended in the middle of the job" },
  RANGE_NOT_SATISFIABLE: { category: "invalid", title: "The range lies outside the object" },
  STREAM_EXISTS: { category: "conflict", title: "A stream with this id exists" },
  STREAM_BUSY: { category: "conflict", title: "Another publisher is live on this stream" },
  LIMIT_REACHED: { category: "exhausted", title: "A configured limit is reached" },
  BITRATE_EXCEEDED: { category: "exhausted", title: "The stream is above the configured bit rate" },
  UNSUPPORTED_CODEC: { category: "invalid", title: "The codec is not supported" },
  NOT_MEDIA: { category: "invalid", title: "The file holds no video or audio that can be read" },
  UNSUPPORTED_CONTAINER: { category: "invalid", title: "The file's container is not supported" },
  MEDIA_DAMAGED: { category: "invalid", title: "The file is damaged or cut short" },
  DURATION_EXCEEDED: { category: "invalid", title: "The video is longer than configured" },
  PICTURE_TOO_LARGE: { category: "invalid", title: "The picture is larger than configured" },
  UPLOAD_TOO_LARGE: { category: "invalid", title: "The upload is larger than configured" },
  UPLOAD_INCOMPLETE: { category: "invalid", title: "The upload ended before all of it was there" },
  UPLOAD_CONFLICT: { category: "conflict", title: "The piece does not begin where the upload stands" },
  VIDEO_CONFLICT: { category: "conflict", title: "The video is in a state that does not allow this" },
  VIDEO_CANCELLED: { category: "conflict", title: "The making of the video was stopped" },
  STORAGE_FULL: { category: "unavailable", title: "There is no space left for media" },
  NOT_IMPLEMENTED: { category: "unavailable", title: "This is not available yet" },
  PORT_IN_USE: { category: "unavailable", title: "The port is in use" },
  FFMPEG_MISSING: { category: "unavailable", title: "ffmpeg was not found" },
  DATA_DIR_UNWRITABLE: { category: "unavailable", title: "The data directory cannot be written" },
  DATA_DIR_IN_USE: { category: "unavailable", title: "Another Headwater runs with this data directory" },
  UNAVAILABLE: { category: "unavailable", title: "The service cannot answer now" },
  INTERNAL: { category: "internal", title: "Something went wrong inside Headwater" },
} as const satisfies Record<string, { category: ErrorCategory; title: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** The one error class that callers branch on, by `code` or `category`. `message` names what was wrong, for a person. */
export class DomainError extends Error {
  readonly code: ErrorCode;
  readonly category: ErrorCategory;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message?: string, options?: ErrorOptions & { details?: Record<string, unknown> }) {
    super(message ?? ERRORS[code].title, options);
    this.name = "DomainError";
    this.code = code;
    this.category = ERRORS[code].category;
    this.details = options?.details ?? {};
  }
}

/**
 * Bytes from outside broke their format. Ends the session that sent them, never the process.
 * `byteOffset` counts from the start of what `format` names (a connection, a box, a message).
 */
export class MalformedInput extends DomainError {
  readonly format: string;
  readonly byteOffset: number;

  constructor(format: string, byteOffset: number, problem: string, options?: ErrorOptions) {
    super("MALFORMED_INPUT", `${format} at byte ${byteOffset}: ${problem}`, options);
    this.name = "MalformedInput";
    this.format = format;
    this.byteOffset = byteOffset;
  }
}
