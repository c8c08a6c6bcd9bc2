/**
 * The text format LVM keeps its metadata in (lvm2 libdm/libdm-config.c): sections `name { … }` and values `name = value`, where a
 * value is a number, a quoted text or a list of them in brackets; `#` begins a comment. Made for hostile text: depth and count are
 * bounded, a name met twice is refused, and the time is linear in the length.
 */
import { FilesystemError } from '../errors.ts';

const MAX_DEPTH = 16;
const MAX_ITEMS = 250_000;

type ConfigItem = string | number;

/** Names in the order of the text. What is asked for and is not there, or is of another type, is an `FS_DAMAGED`. */
export class ConfigSection {
  readonly name: string;
  readonly sections = new Map<string, ConfigSection>();
  readonly values = new Map<string, ConfigItem | readonly ConfigItem[]>();

  constructor(name: string) {
    this.name = name;
  }

  section(name: string): ConfigSection {
    return this.sections.get(name) ?? fail(`${this.name} has no section ${name}`);
  }

  text(name: string): string {
    const value = this.values.get(name);
    return typeof value === 'string' ? value : fail(`${this.name} has no text ${name}`);
  }

  /** Whole and not negative, at most `most`. */
  count(name: string, most: number): number {
    const value = this.values.get(name);
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= most) return value;
    return fail(`${this.name} has no sound number ${name}`);
  }

  /** Empty when there is none. */
  list(name: string): readonly ConfigItem[] {
    const value = this.values.get(name) ?? [];
    return typeof value === 'object' ? value : fail(`${name} of ${this.name} is no list`);
  }

  /** Every text in this section and those below. */
  *texts(): Generator<{ readonly key: string; readonly text: string }> {
    for (const [key, value] of this.values) {
      for (const item of typeof value === 'object' ? value : [value]) if (typeof item === 'string') yield { key, text: item };
    }
    for (const section of this.sections.values()) yield* section.texts();
  }
}

/** @throws FilesystemError `FS_DAMAGED`, `FS_TOO_LARGE` */
export function parseConfig(text: string): ConfigSection {
  return new ConfigParser(text).parse();
}

function fail(message: string): never {
  throw new FilesystemError('FS_DAMAGED', `LVM metadata: ${message}`);
}

const [TAB, LF, SPACE, QUOTE, HASH, COMMA, EQUALS, OPEN_LIST, BACKSLASH, CLOSE_LIST, OPEN, CLOSE] = [
  9, 10, 32, 34, 35, 44, 61, 91, 92, 93, 123, 125,
];
const NAME = /[A-Za-z0-9_.+-]{1,128}/y;
const NUMBER = /-?[0-9]{1,20}(?:\.[0-9]{1,20})?/y;

class ConfigParser {
  readonly #text: string;
  #at = 0;
  #items = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): ConfigSection {
    const root = new ConfigSection('the text');
    this.#fill(root, 0);
    return root;
  }

  /** To the closing brace, or to the end of the text at depth 0. */
  #fill(into: ConfigSection, depth: number): void {
    if (depth > MAX_DEPTH) throw new FilesystemError('FS_TOO_LARGE', 'LVM metadata: sections nested too deep');
    for (;;) {
      const next = this.#peek();
      if (Number.isNaN(next) && depth === 0) return;
      if (next === CLOSE && depth > 0) {
        this.#at++;
        return;
      }
      this.#count();
      const name = this.#match(NAME) ?? this.#unexpected();
      if (into.sections.has(name) || into.values.has(name)) fail(`${name} is there twice in ${into.name}`);
      const kind = this.#peek();
      this.#at++;
      if (kind === OPEN) {
        const section = new ConfigSection(name);
        into.sections.set(name, section);
        this.#fill(section, depth + 1);
      } else if (kind === EQUALS) {
        into.values.set(name, this.#value());
      } else {
        this.#at--;
        this.#unexpected();
      }
    }
  }

  #value(): ConfigItem | readonly ConfigItem[] {
    if (this.#peek() !== OPEN_LIST) return this.#item();
    this.#at++;
    const items: ConfigItem[] = [];
    while (this.#peek() !== CLOSE_LIST) {
      items.push(this.#item());
      const next = this.#peek();
      if (next === COMMA) this.#at++;
      else if (next !== CLOSE_LIST) this.#unexpected();
    }
    this.#at++;
    return items;
  }

  #item(): ConfigItem {
    this.#count();
    if (this.#peek() === QUOTE) return this.#quoted();
    return Number(this.#match(NUMBER) ?? this.#unexpected());
  }

  #quoted(): string {
    const start = ++this.#at;
    let escaped = false;
    for (; ; this.#at++) {
      const code = this.#text.charCodeAt(this.#at);
      if (Number.isNaN(code)) fail('a text has no end');
      if (code === QUOTE) break;
      if (code === BACKSLASH) {
        escaped = true;
        this.#at++;
      }
    }
    const text = this.#text.slice(start, this.#at++);
    return escaped ? text.replace(/\\(["\\])/g, '$1') : text;
  }

  /** The code of the next character that is neither space nor comment; NaN at the end. */
  #peek(): number {
    for (; ; this.#at++) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === HASH) {
        const end = this.#text.indexOf('\n', this.#at);
        this.#at = end < 0 ? this.#text.length : end;
      } else if (code !== SPACE && code !== LF && code !== TAB && code !== 13) return code;
    }
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? null;
    this.#at += found?.length ?? 0;
    return found;
  }

  #count(): void {
    this.#items++;
    if (this.#items > MAX_ITEMS) throw new FilesystemError('FS_TOO_LARGE', `LVM metadata: more than ${MAX_ITEMS} values`);
  }

  #unexpected(): never {
    fail(`character ${this.#at} of its text makes no sense there`);
  }
}
