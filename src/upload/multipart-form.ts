import type { IncomingMessage } from "node:http";
import { Busboy, type BusboyFileStream, type BusboyInstance } from "@fastify/busboy";
import { DomainError } from "../core/errors.ts";
import { cleanFileName } from "./file-name.ts";

const MAX_FIELD_COUNT = 20;
const MAX_FIELD_BYTES = 64 * 1024;
const MAX_NAME_LENGTH = 100;
const MAX_HEADER_PAIRS = 50;
const MAX_HEADER_BYTES = 16 * 1024;
/** What a body holds beside its file at most: fields, headers of its parts, what stands between them. */
export const MAX_FORM_EXTRA_BYTES = (MAX_FIELD_COUNT + 1) * (MAX_FIELD_BYTES + MAX_HEADER_BYTES);

export interface MultipartFormOptions {
  readonly headers: IncomingMessage["headers"];
  /** The body as it comes. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** The names that the field of the file may have. */
  readonly fileFields: readonly string[];
  /** Sees every other field as soon as it is there; throws a DomainError when it must not be so. */
  readonly checkField: (name: string, value: string) => void;
}

/** The one file of a form, while it comes. */
export interface FormFile {
  /** As its owner named it, fit to be shown. */
  readonly fileName: string;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/**
 * A multipart/form-data body as it arrives: one file and some short fields, in any order. It is read no faster than the
 * file is taken. Malformed and cut bodies, more than one file and long fields end it with a DomainError.
 */
export class MultipartForm {
  readonly #options: MultipartFormOptions;
  readonly #parser: BusboyInstance;
  readonly #fields = new Map<string, string>();
  readonly #file = Promise.withResolvers<FormFile>();
  readonly #end = Promise.withResolvers<void>();
  #stream: BusboyFileStream | undefined;
  #drained = () => {};
  #isOver = false;

  /** Throws INVALID_REQUEST when the headers do not announce such a body. */
  constructor(options: MultipartFormOptions) {
    this.#options = options;
    this.#parser = makeParser(options.headers);
    // Whoever waits for the one need not wait for the other.
    this.#file.promise.catch(() => undefined);
    this.#end.promise.catch(() => undefined);
    this.#listen();
    void this.#read();
  }

  /** Resolves when the file begins. */
  file(): Promise<FormFile> {
    return this.#file.promise;
  }

  /** The fields by name, once all of the body was read: the file has to be taken for that. */
  async fields(): Promise<ReadonlyMap<string, string>> {
    await this.#end.promise;
    return this.#fields;
  }

  /** Reads no more of the body. */
  stop(): void {
    this.#fail(new DomainError("UPLOAD_INCOMPLETE", "the upload was given up"));
  }

  async #read(): Promise<void> {
    try {
      for await (const chunk of this.#options.bytes) {
        if (this.#isOver) return;
        if (!this.#parser.write(chunk)) await this.#untilDrained();
      }
      if (!this.#isOver) this.#parser.end();
    } catch (error) {
      this.#fail(error instanceof DomainError ? error : cut(error));
    }
  }

  /** Resolves also when the form fails: nobody takes the file then, and there is nothing to wait for. */
  #untilDrained(): Promise<void> {
    return new Promise((resolve) => {
      this.#drained = resolve;
      if (this.#isOver) resolve();
    });
  }

  #listen(): void {
    const parser = this.#parser;
    parser.on("drain", () => this.#drained());
    parser.on("file", (field, stream, fileName) => {
      // A part that is not read would hold up those behind it, and its errors would be nobody's.
      stream.on("error", () => undefined);
      this.#take(field, stream, fileName);
    });
    parser.on("field", (name, value, _isNameCut, isValueCut) => this.#keep(name, value, isValueCut));
    parser.on("filesLimit", () => this.#fail(refused("there is more than one file")));
    parser.on("fieldsLimit", () => this.#fail(refused("there are too many fields")));
    parser.on("error", (cause) => this.#fail(refused("the body does not follow multipart/form-data", cause)));
    parser.on("finish", () => this.#finish());
  }

  #take(field: string | undefined, stream: BusboyFileStream, fileName: string | undefined): void {
    const { fileFields } = this.#options;
    if (!fileFields.includes(field ?? "")) {
      this.#fail(refused(`the field of the file has to be called ${fileFields.join(" or ")}`));
      stream.destroy();
      return;
    }
    this.#stream = stream;
    this.#file.resolve({ fileName: cleanFileName(fileName, "upload"), bytes: bytesOf(stream) });
  }

  #keep(name: string | undefined, value: string, isCut: boolean): void {
    if (this.#isOver) return;
    try {
      if (name === undefined || name.length > MAX_NAME_LENGTH) throw refused("a field has no usable name");
      if (isCut) throw refused(`the field ${name} is longer than ${MAX_FIELD_BYTES} bytes`);
      this.#options.checkField(name, value);
      this.#fields.set(name, value);
    } catch (error) {
      this.#fail(error instanceof DomainError ? error : refused(`the field ${name} is not valid`, error));
    }
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#file.reject(refused("the form holds no file"));
    this.#end.resolve();
  }

  #fail(error: DomainError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#file.reject(error);
    this.#end.reject(error);
    this.#stream?.destroy(error);
    this.#drained();
  }
}

/** Busboy's own error, of a form that ends inside its file, comes to the file first. */
async function* bytesOf(stream: BusboyFileStream): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* stream;
  } catch (error) {
    if (error instanceof DomainError) throw error;
    throw new DomainError("UPLOAD_INCOMPLETE", "the form ends in the middle of its file", { cause: error });
  }
}

function makeParser(headers: IncomingMessage["headers"]): BusboyInstance {
  const { "content-type": contentType = "" } = headers;
  try {
    return new Busboy({
      headers: { ...headers, "content-type": contentType },
      limits: {
        files: 1,
        fields: MAX_FIELD_COUNT,
        fieldSize: MAX_FIELD_BYTES,
        headerPairs: MAX_HEADER_PAIRS,
        headerSize: MAX_HEADER_BYTES,
      },
    });
  } catch (cause) {
    throw refused("the body is no multipart/form-data with a boundary", cause);
  }
}

function refused(message: string, cause?: unknown): DomainError {
  return new DomainError("INVALID_REQUEST", message, { cause });
}

function cut(cause: unknown): DomainError {
  return new DomainError("UPLOAD_INCOMPLETE", "the connection broke before all of the file was there", { cause });
}
