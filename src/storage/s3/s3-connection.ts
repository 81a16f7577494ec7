import { createHash } from "node:crypto";
import { S3Client, type S3ServiceException } from "@aws-sdk/client-s3";
import { ConfiguredRetryStrategy } from "@smithy/core/retry";

export interface S3ConnectionOptions {
  /** Undefined for AWS itself, which the region leads to. */
  readonly endpoint?: string | undefined;
  readonly region: string;
  /** `endpoint/bucket/key`, as MinIO and most other servers want it, instead of `bucket.endpoint/key`. */
  readonly isPathStyle: boolean;
  /** Undefined for what the machine itself knows: AWS_ variables, profiles, the role of an instance. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
  readonly timeouts?: Partial<S3Timeouts>;
}

export interface S3Timeouts {
  /** Until the connection stands. */
  readonly connectMs: number;
  /** From the first byte of a request to the head of its answer; a part has to be sent in it. */
  readonly requestMs: number;
  /** Without a byte either way. */
  readonly idleMs: number;
}

const DEFAULT_TIMEOUTS: S3Timeouts = { connectMs: 5_000, requestMs: 60_000, idleMs: 30_000 };

export const RETRY_COUNT = 3;
/** Everything that viewers read at once goes through its own connection; too few of them would hold up the puts. */
const MAX_SOCKETS = 512;

/** How long to wait before the n-th retry, counted from 1. */
export function retryDelayMs(retry: number): number {
  return 100 * 2 ** (retry - 1);
}

/** A client that retries and gives up as Headwater does, and speaks to old servers too. */
export function connectS3(options: S3ConnectionOptions): S3Client {
  const { endpoint, region, isPathStyle, credentials, timeouts } = options;
  const { connectMs, requestMs, idleMs } = { ...DEFAULT_TIMEOUTS, ...timeouts };
  const agent = { keepAlive: true, maxSockets: MAX_SOCKETS };
  const client = new S3Client({
    region,
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials && { credentials }),
    forcePathStyle: isPathStyle,
    // Checksums in trailers, which the SDK would add on its own, are an error to servers from before 2025.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    retryStrategy: new ConfiguredRetryStrategy(1 + RETRY_COUNT, retryDelayMs),
    requestHandler: {
      connectionTimeout: connectMs,
      requestTimeout: requestMs,
      throwOnRequestTimeout: true,
      socketTimeout: idleMs,
      socketAcquisitionWarningTimeout: requestMs,
      httpAgent: agent,
      httpsAgent: agent,
    },
  });
  sendMd5OfDeletes(client);
  return client;
}

/** DeleteObjects must carry a checksum, and MD5 is the one that all servers know. */
function sendMd5OfDeletes(client: S3Client): void {
  client.middlewareStack.add(
    (next, { commandName }) =>
      (args) => {
        const request = args.request as { headers: Record<string, string>; body?: unknown };
        if (commandName === "DeleteObjectsCommand" && typeof request.body === "string") {
          request.headers["content-md5"] = createHash("md5").update(request.body).digest("base64");
        }
        return next(args);
      },
    { step: "build", name: "sendMd5OfDeletes", priority: "low" },
  );
}

/** Whether `error` is what an S3 server answered, by any of these names. */
export function isS3Error(error: unknown, ...names: readonly string[]): error is S3ServiceException {
  return error instanceof Error && "$metadata" in error && names.includes(error.name);
}

/** How many times the request of this error was sent. */
export function attemptCountOf(error: S3ServiceException): number {
  return error.$metadata.attempts ?? 1;
}
