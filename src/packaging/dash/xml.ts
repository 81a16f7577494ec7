type AttributeValue = string | number | boolean | undefined;

/** An element: name, attributes (undefined ones are left out) and what it holds: elements, or text. */
export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  readonly content: readonly Element[] | string;
}

export function element(
  name: string,
  attributes: Element["attributes"] = {},
  content: readonly (Element | undefined)[] | string = [],
): Element {
  return {
    name,
    attributes,
    content: typeof content === "string" ? content : content.filter((child) => child !== undefined),
  };
}

/** The document of `root`, one element a line, indented by two. */
export function renderXml(root: Element): string {
  const lines = ['<?xml version="1.0" encoding="UTF-8"?>'];
  write(root, "", lines);
  return `${lines.join("\n")}\n`;
}

function write({ name, attributes, content }: Element, indent: string, lines: string[]): void {
  const start = `${indent}<${name}${attributeText(attributes)}`;
  if (content.length === 0) lines.push(`${start}/>`);
  else if (typeof content === "string") lines.push(`${start}>${escapeXml(content)}</${name}>`);
  else {
    lines.push(`${start}>`);
    for (const child of content) write(child, `${indent}  `, lines);
    lines.push(`${indent}</${name}>`);
  }
}

function attributeText(attributes: Element["attributes"]): string {
  let text = "";
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) text += ` ${name}="${escapeXml(String(value))}"`;
  }
  return text;
}

const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

function escapeXml(text: string): string {
  return /[&<>"]/.test(text) ? text.replace(/[&<>"]/g, (mark) => ESCAPES[mark] ?? mark) : text;
}
