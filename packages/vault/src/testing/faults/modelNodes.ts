/** Files and folders of a modelled disk, each as it is seen and as it would be after a power cut. */
import type { Dice } from './dice.ts';

/** What a power cut takes of what was not synced: everything, nothing (a killed process), or what the dice say, torn writes included. */
export type Loss = 'all' | 'none' | Dice;

export type Node = FileNode | FolderNode;

type Write = { readonly at: number; readonly bytes: Buffer } | { readonly truncatedTo: number };

/** One change of names. A rename changes two folders, and is one. */
export interface NameChange {
  durable: boolean;
}

/** What was copied so far: a file may have two names, a change two folders. */
export class Copied {
  readonly nodes = new Map<Node, Node>();
  readonly changes = new Map<NameChange, NameChange>();

  node(node: Node): Node {
    const found = this.nodes.get(node) ?? (node instanceof FileNode ? node.copy() : node.copy(this));
    this.nodes.set(node, found);
    return found;
  }

  change(change: NameChange): NameChange {
    const found = this.changes.get(change) ?? { durable: change.durable };
    this.changes.set(change, found);
    return found;
  }
}

/** One power cut. */
export class PowerCut {
  readonly loss: Loss;
  private readonly nodes = new Map<Node, Node>();
  private readonly kept = new Map<NameChange, boolean>();

  constructor(loss: Loss) {
    this.loss = loss;
  }

  keeps(change: NameChange): boolean {
    const { loss } = this;
    if (change.durable) return true;
    if (loss === 'all' || loss === 'none') return loss === 'none';
    const kept = this.kept.get(change) ?? loss.once(2);
    this.kept.set(change, kept);
    return kept;
  }

  left(node: Node): Node {
    const found = this.nodes.get(node) ?? node.afterPowerCut(this);
    this.nodes.set(node, found);
    return found;
  }
}

const sectorBytes = 512;

export class FileNode {
  readonly ino: number;
  content: Buffer = Buffer.alloc(0);
  synced: Buffer = Buffer.alloc(0);
  pending: Write[] = [];
  names = 0;
  mtimeMs: number;

  constructor(ino: number, mtimeMs: number) {
    this.ino = ino;
    this.mtimeMs = mtimeMs;
  }

  write(at: number, bytes: Buffer): void {
    const write = { at, bytes: Buffer.from(bytes) };
    this.content = applied(this.content, write);
    this.pending.push(write);
  }

  truncate(lengthBytes: number): void {
    const write = { truncatedTo: lengthBytes };
    this.content = applied(this.content, write);
    this.pending.push(write);
  }

  sync(): void {
    this.synced = this.content;
    this.pending = [];
  }

  copy(): FileNode {
    const copy = new FileNode(this.ino, this.mtimeMs);
    Object.assign(copy, { content: this.content, synced: this.synced, names: this.names });
    copy.pending = [...this.pending];
    return copy;
  }

  afterPowerCut({ loss }: PowerCut): FileNode {
    const left = new FileNode(this.ino, this.mtimeMs);
    left.content = loss === 'none' ? this.content : loss === 'all' ? this.synced : this.torn(loss);
    left.synced = left.content;
    return left;
  }

  private torn(dice: Dice): Buffer {
    // A file system may have written down how long the file is before it wrote what is in it.
    if (dice.once(6)) return applied(this.synced, { truncatedTo: this.content.length });
    let left: Buffer = this.synced;
    for (const write of this.pending) {
      if (dice.once(3)) continue;
      if ('bytes' in write && dice.once(2)) {
        const sectors = Math.ceil(write.bytes.length / sectorBytes);
        left = applied(left, { at: write.at, bytes: write.bytes.subarray(0, dice.roll(sectors) * sectorBytes) });
      } else left = applied(left, write);
    }
    return left;
  }
}

function applied(before: Buffer, write: Write): Buffer {
  const end = 'bytes' in write ? Math.max(before.length, write.at + write.bytes.length) : write.truncatedTo;
  const after = Buffer.alloc(end);
  before.copy(after, 0, 0, Math.min(before.length, end));
  if ('bytes' in write) write.bytes.copy(after, write.at);
  return after;
}

interface Pending {
  readonly name: string;
  /** Null: the name was removed. */
  readonly node: Node | null;
  readonly change: NameChange;
}

export class FolderNode {
  readonly ino: number;
  entries = new Map<string, Node>();
  synced = new Map<string, Node>();
  pending: Pending[] = [];
  mtimeMs: number;

  constructor(ino: number, mtimeMs: number) {
    this.ino = ino;
    this.mtimeMs = mtimeMs;
  }

  set(name: string, node: Node | null, change: NameChange = { durable: false }): void {
    if (node === null) this.entries.delete(name);
    else this.entries.set(name, node);
    this.pending.push({ name, node, change });
  }

  sync(): void {
    for (const { change } of this.pending) change.durable = true;
    this.synced = new Map(this.entries);
    this.pending = [];
  }

  copy(copied: Copied): FolderNode {
    const copy = new FolderNode(this.ino, this.mtimeMs);
    copied.nodes.set(this, copy);
    for (const [name, node] of this.entries) copy.entries.set(name, copied.node(node));
    for (const [name, node] of this.synced) copy.synced.set(name, copied.node(node));
    copy.pending = this.pending.map(({ name, node, change }) => ({
      name,
      node: node === null ? null : copied.node(node),
      change: copied.change(change),
    }));
    return copy;
  }

  afterPowerCut(cut: PowerCut): FolderNode {
    const left = new FolderNode(this.ino, this.mtimeMs);
    const names = new Map(this.synced);
    for (const { name, node, change } of this.pending) {
      if (!cut.keeps(change)) continue;
      if (node === null) names.delete(name);
      else names.set(name, node);
    }
    for (const [name, node] of names) {
      const found = cut.left(node);
      if (found instanceof FileNode) found.names += 1;
      left.entries.set(name, found);
    }
    left.synced = new Map(left.entries);
    return left;
  }
}
