/** An element as it is written: entities in attributes resolved, text between elements left out. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
}

interface Draft extends XmlElement {
  readonly children: XmlElement[];
}

const TOKEN = /<\?[^>]*\?>|<!--[\s\S]*?-->|<\/([^\s>]+)\s*>|<([^\s/>]+)((?:\s+[^\s=]+="[^"<]*")*)\s*(\/?)>|[^<]+/y;
const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** Reads the XML that an MPD is written in. Throws on anything that is not well-formed. */
export function readXml(text: string): XmlElement {
  const root: Draft = { name: "", attributes: new Map(), children: [] };
  const open: Draft[] = [root];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match) throw new Error(`XML is broken at ${at}: ${text.slice(at, at + 40)}`);
    const [, closing, name, attributes, selfClosing] = match;
    if (closing !== undefined && open.pop()?.name !== closing) throw new Error(`</${closing}> closes nothing`);
    if (name !== undefined) {
      const element: Draft = { name, attributes: readAttributes(attributes ?? ""), children: [] };
      open.at(-1)?.children.push(element);
      if (selfClosing !== "/") open.push(element);
    }
  }
  const [document, ...more] = root.children;
  if (open.length !== 1 || !document || more.length > 0) throw new Error("XML has not one root");
  return document;
}

export function childrenOf(element: XmlElement | undefined, name: string): XmlElement[] {
  return element?.children.filter((child) => child.name === name) ?? [];
}

function readAttributes(text: string): Map<string, string> {
  const attributes = new Map<string, string>();
  for (const [, name, value] of text.matchAll(/([^\s=]+)="([^"]*)"/g)) {
    if (name === undefined || value === undefined) continue;
    if (attributes.has(name)) throw new Error(`attribute ${name} twice`);
    attributes.set(name, resolveEntities(value));
  }
  return attributes;
}

function resolveEntities(text: string): string {
  if (/&(?!(amp|lt|gt|quot|apos|#\d+);)/.test(text)) throw new Error(`bare & in ${text}`);
  return text.replace(/&(\w+);/g, (entity, name: string) => ENTITIES[name] ?? entity);
}
