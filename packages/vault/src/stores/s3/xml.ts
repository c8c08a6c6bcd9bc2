/** The few elements of S3's XML answers that are needed. Total on any text: what is not there is null or left out. */

/** The text of the first `<name>`, or null. */
export function textIn(xml: string, name: string): string | null {
  const from = xml.indexOf(`<${name}>`);
  if (from < 0) return null;
  const to = xml.indexOf(`</${name}>`, from);
  return to < 0 ? null : decoded(xml.slice(from + name.length + 2, to));
}

/** The insides of every `<name>`, in order; elements of that name do not nest in S3's answers. */
export function* elementsIn(xml: string, name: string): Iterable<string> {
  for (let at = xml.indexOf(`<${name}>`); at >= 0; at = xml.indexOf(`<${name}>`, at)) {
    const to = xml.indexOf(`</${name}>`, at);
    if (to < 0) return;
    yield xml.slice(at + name.length + 2, to);
    at = to;
  }
}

const named: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };

function decoded(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-z]{2,4}));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return named[String(name)] ?? whole;
    const point = hex === undefined ? Number(decimal) : Number.parseInt(String(hex), 16);
    return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
  });
}
