/** A JSON Schema as far as the page shows it. */
interface Schema {
  $ref?: string;
  type?: string | string[];
  description?: string;
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  format?: string;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  items?: Schema;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
}

interface Operation {
  operationId?: string;
  summary?: string;
  tags?: string[];
  security?: Record<string, unknown>[];
  parameters?: { name: string; in: string; required?: boolean; description?: string; schema?: Schema }[];
  requestBody?: { content?: Record<string, { schema?: Schema }> };
  responses?: Record<string, { description?: string; content?: Record<string, { schema?: Schema }> }>;
}

interface Document {
  info: { title: string; version: string; description?: string };
  paths?: Record<string, Record<string, Operation>>;
  components?: { schemas?: Record<string, Schema> };
}

interface Listed {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

/** The OpenAPI document as one HTML page that needs no script, no other file and no other host. */
export function renderDocsPage(openApi: unknown): string {
  // Our own document, made from our own schemas.
  const document = openApi as Document;
  const groups = Map.groupBy(operationsOf(document), ({ operation }) => operation.tags?.[0] ?? "Other");
  const schemas = Object.entries(document.components?.schemas ?? {});
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(document.info.title)} API ${escapeHtml(document.info.version)}</title>
<style>${STYLE}</style>
<header>
<h1>${escapeHtml(document.info.title)} API <small>${escapeHtml(document.info.version)}</small></h1>
<p>${escapeHtml(document.info.description ?? "")} The same as a document for tools: <a href="/api/openapi.json">openapi.json</a>.</p>
<pre>curl -H "Authorization: Bearer $HEADWATER_ADMIN_TOKEN" $HEADWATER_URL/api/v1/streams</pre>
</header>
<nav aria-label="Operations">${[...groups].map(renderContents).join("")}</nav>
<main>
${[...groups].map(([tag, operations]) => renderGroup(tag, operations)).join("\n")}
<section><h2>Schemas</h2>${schemas.map(([id, schema]) => renderSchema(id, schema)).join("\n")}</section>
</main>
</html>
`;
}

function operationsOf(document: Document): Listed[] {
  return Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
}

function renderContents([tag, operations]: [string, Listed[]]): string {
  const links = operations.map(({ method, path, operation }) => {
    return `<li><a href="#${escapeHtml(operation.operationId ?? "")}"><b>${method}</b> ${escapeHtml(path)}</a></li>`;
  });
  return `<h2>${escapeHtml(tag)}</h2><ul>${links.join("")}</ul>`;
}

function renderGroup(tag: string, operations: readonly Listed[]): string {
  return `<section><h2>${escapeHtml(tag)}</h2>${operations.map(renderOperation).join("\n")}</section>`;
}

function renderOperation({ method, path, operation }: Listed): string {
  const body = Object.values(operation.requestBody?.content ?? {})[0]?.schema;
  const isPublic = !operation.security?.length;
  return `<article id="${escapeHtml(operation.operationId ?? "")}">
<h3><b>${method}</b> <code>${escapeHtml(path)}</code></h3>
<p>${escapeHtml(operation.summary ?? "")}. <em>${isPublic ? "Public." : "Needs the admin token or a session."}</em></p>
${renderParameters(operation.parameters ?? [])}
${body ? `<p>Body: ${describeType(body)}</p>` : ""}
<table><caption>Answers</caption>${Object.entries(operation.responses ?? {})
    .map(([status, { description, content }]) => {
      const [type, media] = Object.entries(content ?? {})[0] ?? [];
      const what = media?.schema?.$ref ? describeType(media.schema) : escapeHtml(type ?? "");
      return `<tr><th scope="row">${escapeHtml(status)}</th><td>${what}</td><td>${escapeHtml(description ?? "")}</td></tr>`;
    })
    .join("")}</table>
</article>`;
}

function renderParameters(parameters: NonNullable<Operation["parameters"]>): string {
  if (parameters.length === 0) return "";
  const rows = parameters.map((parameter) => {
    const { name, schema = {}, description = "", required = false } = parameter;
    return renderField(name, { ...schema, description: schema.description ?? description }, required, parameter.in);
  });
  return `<table><caption>Parameters</caption>${rows.join("")}</table>`;
}

function renderSchema(id: string, schema: Schema): string {
  const rows = Object.entries(schema.properties ?? {}).map(([name, field]) =>
    renderField(name, field, schema.required?.includes(name) ?? false),
  );
  return `<article id="schema-${escapeHtml(id)}"><h3>${escapeHtml(id)}</h3><table>${rows.join("")}</table></article>`;
}

function renderField(name: string, schema: Schema, isRequired: boolean, place = ""): string {
  const marks = [place, isRequired ? "required" : "", rangeOf(schema)].filter(Boolean).join(", ");
  const description = `${escapeHtml(schema.description ?? "")} <small>${escapeHtml(marks)}</small>`;
  return `<tr><th scope="row"><code>${escapeHtml(name)}</code></th><td>${describeType(schema)}</td><td>${description}</td></tr>`;
}

function describeType(schema: Schema): string {
  const name = schema.$ref?.split("/").at(-1);
  if (name !== undefined) return `<a href="#schema-${escapeHtml(name)}">${escapeHtml(name)}</a>`;
  if (schema.const !== undefined) return escapeHtml(JSON.stringify(schema.const));
  if (schema.enum) return schema.enum.map((value) => escapeHtml(JSON.stringify(value))).join(" | ");
  if (schema.anyOf) return schema.anyOf.map(describeType).join(" | ");
  if (schema.items) return `array of ${describeType(schema.items)}`;
  return escapeHtml([schema.type ?? "any"].flat().join(" | "));
}

/** Bounds and default; those of safe integers are none. */
function rangeOf(schema: Schema): string {
  const { minimum, maximum, minLength, maxLength } = schema;
  const isBound = (value: number | undefined) => value !== undefined && Math.abs(value) < Number.MAX_SAFE_INTEGER;
  const said = [
    isBound(minimum) ? `from ${minimum}` : "",
    isBound(maximum) ? `to ${maximum}` : "",
    minLength !== undefined ? `at least ${minLength} long` : "",
    maxLength !== undefined ? `at most ${maxLength} long` : "",
    schema.default !== undefined ? `default ${JSON.stringify(schema.default)}` : "",
  ];
  return said.filter(Boolean).join(" ");
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
}

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --soft: light-dark(#f4f6f8, #1b2026); --mark: light-dark(#0a5a8a, #7cc4f0) }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem; font: 1rem/1.5 system-ui, sans-serif; display: grid;
  grid-template: "header header" auto "nav main" 1fr / 19rem minmax(0, 1fr); gap: 0 2.5rem }
header { grid-area: header } nav { grid-area: nav } main { grid-area: main }
nav { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow: auto; font-size: .85rem; padding-bottom: 2rem }
nav ul { list-style: none; margin: 0; padding: 0 } nav h2 { font-size: .9rem; margin: 1rem 0 .25rem }
nav a { text-decoration: none; overflow-wrap: anywhere } a, h3 b, nav b { color: var(--mark) }
h1 small { font-weight: 400; font-size: 1rem } h3 { font-size: 1.05rem; margin: 0 0 .25rem; overflow-wrap: anywhere }
article { border-top: 1px solid var(--line); padding: 1rem 0 } p { margin: .25rem 0 }
table { border-collapse: collapse; width: 100%; font-size: .88rem; margin: .5rem 0 } caption { text-align: left; font-weight: 600 }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; font-weight: 400 }
th { width: 28% } td:nth-child(2) { width: 26% } small { opacity: .75 }
pre { background: var(--soft); padding: .75rem 1rem; overflow: auto; border-radius: .4rem }
@media (max-width: 50rem) { body { display: block; padding: 1rem } nav { position: static; max-height: none } }
`;
