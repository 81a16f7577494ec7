import { writeFile } from "node:fs/promises";
import { startHeadwater } from "../test/support/headwater.ts";

/** What is read of an OpenAPI 3.1 document: its named schemas. */
export interface ApiDocument {
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** JSON Schema as far as our zod schemas make use of it for answers and bodies. */
interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly description?: string;
}

/** The generated file, and the name under which the running API serves what it is made of. */
export const API_TYPES_FILE = new URL("./src/api/schema.ts", import.meta.url);
export const API_DOCUMENT_PATH = "/api/openapi.json";

const HEADER =
  "// Generated from the API's OpenAPI document by `npm run api-types`; changes belong into the schemas of src/api.\n";
const LINE_CHARS = 120;
const REFERENCE = /^#\/components\/schemas\/(\w+)$/;
const PLAIN_TYPES: Readonly<Record<string, string>> = {
  string: "string",
  number: "number",
  integer: "number",
  boolean: "boolean",
  null: "null",
};

/** The schemas as one TypeScript interface each (a choice of some as a type), formatted as Biome would. Throws at a schema that it has no type for. */
export function renderApiTypes({ components }: ApiDocument): string {
  const types = Object.entries(components.schemas).map(([name, schema]) => {
    const head = `${comment(schema, "")}export`;
    if (schema.type === "object") return `${head} interface ${name} ${renderObject(schema, "")}\n`;
    return `${head} type ${name} = ${renderType(schema, "")};\n`;
  });
  return [HEADER, ...types].join("\n");
}

function renderType(schema: Schema, indent: string): string {
  if (schema.$ref !== undefined) return nameOf(schema.$ref);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.map((each) => renderType(each, indent)).join(" | ");
  if (schema.type === "array" && schema.items) return `readonly ${grouped(renderType(schema.items, indent))}[]`;
  if (schema.type === "object") return renderObject(schema, indent);
  const plain = [schema.type ?? []].flat().map((type) => PLAIN_TYPES[type]);
  if (plain.length === 0 || plain.includes(undefined)) throw new TypeError(`no type for ${JSON.stringify(schema)}`);
  return plain.join(" | ");
}

function renderObject(
  { properties = {}, required = [], additionalProperties = false }: Schema,
  indent: string,
): string {
  const inner = `${indent}  `;
  const fields = Object.entries(properties).map(([name, schema]) => {
    const head = `${inner}readonly ${name}${required.includes(name) ? "" : "?"}:`;
    return comment(schema, inner) + broken(head, renderType(schema, inner), inner);
  });
  if (additionalProperties !== false) fields.push(`${inner}readonly [field: string]: unknown;\n`);
  return `{\n${fields.join("")}${indent}}`;
}

/** A field on one line, or with one choice a line where that is too long. */
function broken(head: string, type: string, indent: string): string {
  const line = `${head} ${type};\n`;
  if (type.includes("\n") || line.length <= LINE_CHARS + 1) return line;
  const choices = type.split(" | ").map((choice) => `\n${indent}  | ${choice}`);
  return `${head}${choices.join("")};\n`;
}

function grouped(type: string): string {
  return type.includes(" | ") && !type.startsWith("{") ? `(${type})` : type;
}

function comment({ description }: Schema, indent: string): string {
  return description === undefined ? "" : `${indent}/** ${description.replaceAll("*/", "* /")} */\n`;
}

function nameOf(reference: string): string {
  const name = REFERENCE.exec(reference)?.[1];
  if (name === undefined) throw new TypeError(`${reference} is no schema of the document`);
  return name;
}

if (import.meta.main) {
  await using server = await startHeadwater();
  const document = (await (await server.get(API_DOCUMENT_PATH)).json()) as ApiDocument;
  await writeFile(API_TYPES_FILE, renderApiTypes(document));
}
