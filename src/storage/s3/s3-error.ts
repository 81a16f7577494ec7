import { DomainError } from "../../core/errors.ts";

/** What servers call it when no bytes fit in any more: S3 itself never does, MinIO, Ceph, Garage and gateways do. */
const FULL = [
  "XMinioStorageFull",
  "XMinioAdminBucketQuotaExceeded",
  "QuotaExceeded",
  "InsufficientStorage",
  "InsufficientCapacity",
  "StorageFull",
];
const REFUSED = [
  "AccessDenied",
  "InvalidAccessKeyId",
  "SignatureDoesNotMatch",
  "AllAccessDisabled",
  "Forbidden",
  "403",
];

/** The store's word for what a request to `bucket` threw. A DomainError and the reason of an abort pass as they are. */
export function s3ErrorOf(error: unknown, bucket: string, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof DomainError) return error;
  const name = error instanceof Error ? error.name : String(error);
  const status = statusOf(error);
  if (FULL.includes(name) || status === 507) {
    return new DomainError("STORAGE_FULL", `The bucket ${bucket} has no space left`, { cause: error });
  }
  return new DomainError("UNAVAILABLE", sentenceFor(name, status, bucket, error), { cause: error });
}

function sentenceFor(name: string, status: number | undefined, bucket: string, error: unknown): string {
  if (name === "NoSuchBucket") return `There is no bucket ${bucket}`;
  if (REFUSED.includes(name) || status === 401 || status === 403) {
    return `The object store refuses its keys for the bucket ${bucket} (${name})`;
  }
  // Of what the network says only the kind is for strangers: the message holds addresses.
  const code = error instanceof Error && "code" in error ? String(error.code) : name;
  return `The object store does not answer as it should (${status === undefined ? code : `${code}, ${status}`})`;
}

function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("$metadata" in error)) return undefined;
  const { httpStatusCode } = error.$metadata as { httpStatusCode?: unknown };
  return typeof httpStatusCode === "number" ? httpStatusCode : undefined;
}
