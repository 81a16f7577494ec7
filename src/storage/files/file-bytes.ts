import type { FileHandle } from "node:fs/promises";
import { DomainError } from "../../core/errors.ts";
import type { ObjectBody } from "../object-store.ts";
import { domainErrorOf } from "./disk-error.ts";

const READ_BYTES = 256 * 1024;

/** The bytes `first` to `last` of an open file, which is closed at the end, on `cancel` and when `signal` aborts. */
export function readBytes(
  file: FileHandle,
  { first, last }: { readonly first: number; readonly last: number },
  signal: AbortSignal | undefined,
): Pick<ObjectBody, "body" | "cancel"> {
  let stopped: unknown;
  const close = async () => {
    signal?.removeEventListener("abort", abort);
    // Nothing was written: what closing may complain about concerns nobody.
    await file.close().catch(() => undefined);
  };
  const stop = (reason: unknown) => {
    stopped ??= reason;
    void close();
  };
  const abort = () => stop(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });

  async function* read(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (let at = first; at <= last; ) {
        const bytes = await readOnce(file, at, Math.min(READ_BYTES, last + 1 - at)).catch((error: unknown) => {
          throw stopped ?? domainErrorOf(error);
        });
        if (stopped !== undefined) throw stopped;
        if (bytes.byteLength === 0) throw new DomainError("UNAVAILABLE", "a file of the store was cut short");
        yield bytes;
        at += bytes.byteLength;
      }
    } finally {
      await close();
    }
  }
  return { body: read(), cancel: () => stop(new DOMException("the object was let go of", "AbortError")) };
}

async function readOnce(file: FileHandle, position: number, lengthBytes: number): Promise<Uint8Array> {
  const { bytesRead, buffer } = await file.read(Buffer.allocUnsafeSlow(lengthBytes), 0, lengthBytes, position);
  return buffer.subarray(0, bytesRead);
}
