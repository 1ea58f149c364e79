/** As much of XML as domains need: elements with attributes, and either text or children. */

type Attributes = { readonly [name: string]: string | number };

/** One element; `content` is its text, or its children as this function made them. */
export function element(
  name: string,
  attributes: Attributes = {},
  content?: string | readonly string[],
): string {
  const pairs = Object.entries(attributes).map(([key, value]) => ` ${key}="${escaped(value)}"`);
  const open = `<${name}${pairs.join("")}`;
  if (content === undefined) return `${open}/>`;
  if (typeof content === "string") return `${open}>${escaped(content)}</${name}>`;
  const children = content.map((child) => child.replaceAll(/^/gm, "  "));
  return [`${open}>`, ...children, `</${name}>`].join("\n");
}

/** The attributes of the first element in `xml`, which some XML library wrote. */
export function attributesOf(xml: string): ReadonlyMap<string, string> {
  const tag = /<[^\s/>]+((?:\s+[^\s=]+=(?:"[^"]*"|'[^']*'))*)\s*\/?>/.exec(xml)?.[1] ?? "";
  const pairs = tag.matchAll(/([^\s=]+)=(?:"([^"]*)"|'([^']*)')/g);
  return new Map([...pairs].map(([, key = "", a, b]) => [key, unescaped(a ?? b ?? "")]));
}

/** Line ends and tabs too: as themselves they would become spaces in attributes. */
function escaped(value: string | number): string {
  return String(value).replaceAll(/[<>&"'\n\r\t]/g, (char) => `&#${char.charCodeAt(0)};`);
}

const NAMED: ReadonlyMap<string, string> = new Map([
  ["lt", "<"],
  ["gt", ">"],
  ["amp", "&"],
  ["quot", '"'],
  ["apos", "'"],
]);

function unescaped(text: string): string {
  return text.replaceAll(/&(#x?)?([0-9a-zA-Z]+);/g, (whole, kind: string | undefined, body) => {
    if (kind === undefined) return NAMED.get(body) ?? whole;
    return String.fromCodePoint(Number.parseInt(body, kind === "#x" ? 16 : 10));
  });
}
