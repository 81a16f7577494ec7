import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { API_DOCUMENT_PATH, API_TYPES_FILE, type ApiDocument, renderApiTypes } from "../web/api-types.ts";
import { startHeadwater } from "./support/headwater.ts";

test("the pages' types are those of the running API", async () => {
  await using server = await startHeadwater();
  const document = (await (await server.get(API_DOCUMENT_PATH)).json()) as ApiDocument;
  const written = await readFile(API_TYPES_FILE, "utf8");
  assert.equal(written, renderApiTypes(document), "write them anew: npm run api-types");
});

test("each form of schema becomes the type that it describes", () => {
  const kinds = ["cable", "satellite", "terrestrial", "microwave", "fibre", "carrier pigeon", "semaphore", "smoke"];
  const document = {
    components: {
      schemas: {
        Antenna: {
          type: "object",
          description: "Ends no comment: */",
          required: ["height_m", "label", "owner", "notes", "kind"],
          properties: {
            height_m: { type: "integer", description: "Above ground" },
            label: { type: ["string", "null"] },
            owner: { anyOf: [{ $ref: "#/components/schemas/Owner" }, { type: "null" }] },
            is_up: { type: "boolean" },
            bands: { type: "array", items: { enum: ["uhf", "vhf"] } },
            notes: {
              type: "array",
              items: { type: "object", required: ["at"], properties: { at: { type: "string" } } },
            },
            kind: { enum: kinds },
            version: { const: 2 },
          },
        },
        Owner: { type: "object", properties: {}, additionalProperties: {} },
        Either: { oneOf: [{ $ref: "#/components/schemas/Antenna" }, { $ref: "#/components/schemas/Owner" }] },
      },
    },
  };
  const [, ...types] = renderApiTypes(document).split("\n\n");
  assert.equal(
    types.join("\n\n"),
    `/** Ends no comment: * / */
export interface Antenna {
  /** Above ground */
  readonly height_m: number;
  readonly label: string | null;
  readonly owner: Owner | null;
  readonly is_up?: boolean;
  readonly bands?: readonly ("uhf" | "vhf")[];
  readonly notes: readonly {
    readonly at: string;
  }[];
  readonly kind:
${kinds.map((kind) => `    | "${kind}"`).join("\n")};
  readonly version?: 2;
}

export interface Owner {
  readonly [field: string]: unknown;
}

export type Either = Antenna | Owner;
`,
  );
});

test("refuses a schema that it has no type for", () => {
  const render = (schema: object) => () =>
    renderApiTypes({ components: { schemas: { Odd: { type: "object", properties: { field: schema } } } } });
  assert.throws(render({}), /no type for \{\}/);
  assert.throws(render({ type: "array" }), /no type for/);
  assert.throws(render({ type: ["string", "tuple"] }), /no type for/);
  assert.throws(render({ $ref: "other.json#/Thing" }), /other\.json#\/Thing is no schema of the document/);
  assert.throws(() => renderApiTypes({ components: { schemas: { Name: { type: "tuple" } } } }), /no type for/);
});
