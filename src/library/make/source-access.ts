import { DomainError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import type { ObjectStore } from "../../storage/object-store.ts";
import type { OpenSourceAccess, SourceAccess } from "./contract.ts";
import { LoopbackSource } from "./loopback-source.ts";

/** Throws DomainError NOT_FOUND when the store has no such object. */
export const openSourceAccess: OpenSourceAccess = async (
  store: ObjectStore,
  key: string,
  logger: Logger,
): Promise<SourceAccess> => {
  const info = await store.head(key);
  if (!info) throw new DomainError("NOT_FOUND", "the original is not in the store");
  const path = store.localPath?.(key);
  if (path === undefined) return LoopbackSource.open({ store, info, logger });
  // ffmpeg takes a path behind `file:` as it stands; only a URL's escapes would not be undone.
  const input = { url: `file:${path}`, protocols: "file" };
  return { input, failure: undefined, close: async () => undefined };
};
