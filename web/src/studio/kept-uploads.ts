import type { Upload } from "tus-js-client";

const DAY_MS = 86_400_000;
/** The server keeps what has stopped for so long, unless it is told otherwise. */
const LIFETIME_MS = DAY_MS;
/** What takes longer than its lifetime is still there while it goes on; after so long it cannot be any more. */
const MOST_AGE_MS = 7 * DAY_MS;

/** An upload that an earlier page began and did not end. The file has to be chosen again: browsers forget it. */
export interface UnfinishedUpload {
  readonly name: string;
  forget(): void;
}

/** What earlier pages of this browser left unfinished, and can go on. */
export async function unfinishedUploads(): Promise<readonly UnfinishedUpload[]> {
  const { defaultOptions } = await import("tus-js-client");
  const { urlStorage: storage } = defaultOptions;
  const kept = (await storage.findAllUploads()).map(({ urlStorageKey, creationTime, metadata }) => ({
    ageMs: Date.now() - Date.parse(creationTime),
    name: metadata.filename ?? "",
    forget: () => void storage.removeUpload(urlStorageKey),
  }));
  for (const upload of kept) if (!(upload.ageMs < MOST_AGE_MS)) upload.forget();
  return kept.filter(({ ageMs }) => ageMs < LIFETIME_MS);
}

/** Nobody is to go on with it. */
export async function forgetUpload(upload: Upload): Promise<void> {
  const { defaultOptions } = await import("tus-js-client");
  for (const { urlStorageKey } of await upload.findPreviousUploads()) {
    await defaultOptions.urlStorage.removeUpload(urlStorageKey);
  }
}
