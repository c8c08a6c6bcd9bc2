/**
 * Turns a parser's source into one that counts which ways it takes. Every branch (function, either side of a condition, body of a
 * loop, case, right side of `&&`, `||`, `??`) gets a counter `__c[id]`; every comparison that looks like that of a checksum goes
 * through `__k`, by which the fuzzer learns what would have been right (see engine/repair.ts).
 *
 * Counters in the source, unlike V8's own precise coverage, cost nanoseconds per input and tell how often: a loop that runs twice is
 * news. The numbers and short texts a source compares with become the dictionary of the mutations.
 */
import { stripTypeScriptTypes } from 'node:module';
import { type AnyNode, parse } from 'acorn';

/** Where a counter stands. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

export interface Instrumented {
  readonly code: string;
  readonly numbers: readonly bigint[];
  readonly texts: readonly string[];
}

/** What an operand is called when it is a checksum. Too many are no harm: only what differs and was read is ever repaired. */
const checksumName = /crc|checksum|sealof|seal\(|hash\(|mac\b|sum\(|expected|computed|\bsum\b/i;

function isNode(value: unknown): value is AnyNode {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

function children(node: AnyNode): AnyNode[] {
  return Object.values(node).flat().filter(isNode);
}

/** @param places gets one more entry for each counter: its id is its place in the list */
export function instrument(typescript: string, file: string, places: Place[]): Instrumented {
  const source = stripTypeScriptTypes(typescript);
  const lineStarts = [0, ...Array.from(source.matchAll(/\n/g), (match) => match.index + 1)];
  const inserts: { at: number; order: number; text: string }[] = [];
  const numbers = new Set<bigint>();
  const texts = new Set<string>();
  const insert = (at: number, text: string) => inserts.push({ at, order: inserts.length, text });
  // What closes at one place closes from the inside out, and before anything opens there.
  const close = (at: number, text: string) => inserts.push({ at, order: -inserts.length - 1, text });
  const counter = (node: AnyNode): string => {
    places.push({ file, line: lineStarts.findLastIndex((start) => start <= node.start) + 1 });
    return `__c[${places.length - 1}]++`;
  };
  const marking = { source, counter, insert, close, numbers, texts };
  const visit = (node: AnyNode): void => {
    mark(node, marking);
    for (const child of children(node)) visit(child);
  };
  visit(parse(source, { ecmaVersion: 'latest', sourceType: 'module' }));
  inserts.sort((left, right) => left.at - right.at || left.order - right.order);
  let code = 'const { c: __c, k: __k } = globalThis.__fuzz;';
  let done = 0;
  for (const { at, text } of inserts) {
    code += source.slice(done, at) + text;
    done = at;
  }
  return { code: code + source.slice(done), numbers: [...numbers], texts: [...texts] };
}

interface Marking {
  readonly source: string;
  /** The code that counts; makes the counter. */
  readonly counter: (node: AnyNode) => string;
  readonly insert: (at: number, text: string) => void;
  readonly close: (at: number, text: string) => void;
  readonly numbers: Set<bigint>;
  readonly texts: Set<string>;
}

function mark(node: AnyNode, marking: Marking): void {
  switch (node.type) {
    case 'FunctionDeclaration':
    case 'FunctionExpression':
    case 'ArrowFunctionExpression':
    case 'CatchClause':
      enter(node.body, marking);
      return;
    case 'IfStatement':
      if (!node.alternate) marking.close(node.end, `else{${marking.counter(node)};}`);
      statement(node.consequent, marking);
      if (node.alternate) statement(node.alternate, marking);
      return;
    case 'ForStatement':
    case 'ForInStatement':
    case 'ForOfStatement':
    case 'WhileStatement':
    case 'DoWhileStatement':
      statement(node.body, marking);
      return;
    case 'SwitchCase':
      if (node.consequent[0]) marking.insert(node.consequent[0].start, `${marking.counter(node)};`);
      return;
    case 'ConditionalExpression':
      expression(node.consequent, marking);
      expression(node.alternate, marking);
      return;
    case 'LogicalExpression':
      expression(node.right, marking);
      return;
    case 'BinaryExpression':
      comparison(node, marking);
      return;
    case 'Literal':
      literal(node.value, marking);
      return;
    default:
  }
}

function statement(node: AnyNode, { counter, insert, close }: Marking): void {
  insert(node.start, `{${counter(node)};`);
  close(node.end, '}');
}

function expression(node: AnyNode, { counter, insert, close }: Marking): void {
  insert(node.start, `(${counter(node)},`);
  close(node.end, ')');
}

function enter(body: AnyNode, marking: Marking): void {
  if (body.type === 'BlockStatement') marking.insert(body.start + 1, `${marking.counter(body)};`);
  else expression(body, marking);
}

/** `a === b` becomes `__k((a),(b))`, `a !== b` its contrary; the operator stays as a comment. */
function comparison(node: AnyNode, { source, insert, close }: Marking): void {
  if (node.type !== 'BinaryExpression' || (node.operator !== '===' && node.operator !== '!==')) return;
  const { left, right } = node;
  if (left.type === 'Literal' || right.type === 'Literal' || !checksumName.test(source.slice(node.start, node.end))) return;
  const operatorAt = left.end + source.slice(left.end, right.start).indexOf(node.operator);
  insert(node.start, node.operator === '===' ? '__k((' : '!__k((');
  insert(operatorAt, '),(/*');
  insert(operatorAt + 3, '*/');
  close(node.end, '))');
}

function literal(value: unknown, { numbers, texts }: Marking): void {
  if (typeof value === 'bigint') numbers.add(value);
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 16) numbers.add(BigInt(value));
  if (typeof value === 'string' && /^[\x20-\x7e]{2,8}$/.test(value)) texts.add(value);
}
