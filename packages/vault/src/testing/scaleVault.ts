/**
 * A vault of any size, made in minutes, for measuring: segments, map nodes and manifests are real and sealed, data packs exist as names
 * in listings only. Nothing is synced, so it is not to be kept.
 */
import { hash, randomBytes, randomFillSync } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { entryBytes } from '../index/entry.ts';
import { allocateKnownChunks, knownSlotsFor } from '../index/knownChunks.ts';
import { encodeSegments } from '../index/segment.ts';
import { generateVaultKeys } from '../keys/seal.ts';
import { type ChildId, encodeLeaf, encodePage, encodeRoot, regionBytes } from '../map/mapNodes.ts';
import { PackingWriter } from '../pack/chunkWriter.ts';
import { encodeManifest } from '../point/manifest.ts';
import { openStore } from '../stores/openStore.ts';
import type { SealedPack, Store, Vault, VaultKeys } from '../types.ts';
import { createVaultIn } from '../vault/createVault.ts';
import { openVaultIn } from '../vault/openVault.ts';
import { beginning, cheapCost, diskInfo } from './sampleVault.ts';

export interface ScalePlan {
  readonly machines: number;
  readonly pointsPerMachine: number;
  /** Map leaves, 64 MiB of disk each, of a machine's first point and of those that change for each later one; at most 4096. */
  readonly firstLeaves: number;
  readonly laterLeaves: number;
  readonly chunksPerLeaf: number;
}

const chunksPerPack = 64;
const dataPackBytes = 16 << 20;
const factsName = 'scale.json';

interface Facts {
  readonly vaultId: string;
  readonly keys: Record<'idKey' | 'publicKey' | 'privateKey', string>;
  readonly dataPacks: number;
  readonly chunks: number;
}

/** @param folder empty */
export async function makeScaleVault(folder: string, plan: ScalePlan): Promise<void> {
  const store = await unsyncedStore(folder);
  const keys = generateVaultKeys();
  const encryption = { kind: 'keys' as const, keys };
  const vault = await createVaultIn(store, { kind: 'directory', path: folder }, { encryption, passphraseCost: cheapCost });
  const maker = new PointMaker(store, vault.id, keys);
  for (let machine = 0; machine < plan.machines; machine += 1) await maker.machine(`machine-${machine}`, plan);
  const hex = (bytes: Uint8Array | null) => Buffer.from(bytes ?? []).toString('hex');
  const facts: Facts = {
    vaultId: vault.id,
    keys: { idKey: hex(keys.idKey), publicKey: hex(keys.publicKey), privateKey: hex(keys.privateKey) },
    dataPacks: maker.dataPacks,
    chunks: maker.chunks,
  };
  writeFileSync(join(folder, factsName), JSON.stringify(facts));
}

/** The folder as a store that lists the data packs too. */
export async function openScaleStore(
  folder: string,
): Promise<{ store: Store; chunks: number; vaultId: string; keys: VaultKeys }> {
  const { dataPacks, chunks, vaultId, keys }: Facts = JSON.parse(readFileSync(join(folder, factsName), 'utf8'));
  const real = await openStore({ kind: 'directory', path: folder });
  const store: Store = {
    ...real,
    async *list(prefix) {
      yield* real.list(prefix);
      if (prefix !== 'packs/') return;
      for (let at = 0; at < dataPacks; at += 1) {
        const name = dataPackName(at);
        yield { name: `packs/${name.slice(0, 2)}/${name}`, sizeBytes: dataPackBytes, storedAtMs: 0 };
      }
    },
  };
  const bytes = (text: string) => Buffer.from(text, 'hex');
  const opened = { idKey: bytes(keys.idKey), publicKey: bytes(keys.publicKey), privateKey: bytes(keys.privateKey) };
  return { store, chunks, vaultId, keys: opened };
}

export async function openScaleVault(folder: string): Promise<{ vault: Vault; chunks: number }> {
  const { store, chunks, keys } = await openScaleStore(folder);
  return { vault: await openVaultIn(store, { kind: 'directory', path: folder }, { kind: 'keys', keys }), chunks };
}

function dataPackName(number: number): string {
  return hash('sha256', `pack ${number}`);
}

async function unsyncedStore(folder: string): Promise<Store> {
  const real = await openStore({ kind: 'directory', path: folder }, { create: true });
  return {
    ...real,
    async put(name, bytes) {
      const path = join(folder, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, bytes);
      return 'stored';
    },
  };
}

class PointMaker {
  private readonly store: Store;
  private readonly vaultId: string;
  private readonly keys: VaultKeys;
  private day = 0;
  dataPacks = 0;
  chunks = 0;

  constructor(store: Store, vaultId: string, keys: VaultKeys) {
    this.store = store;
    this.vaultId = vaultId;
    this.keys = keys;
  }

  async machine(machineId: string, plan: ScalePlan): Promise<void> {
    const nodes = plan.firstLeaves + plan.pointsPerMachine * (plan.laterLeaves + 2);
    const meta = this.metaWriter(nodes);
    const leaves: Buffer[] = [];
    const packs: SealedPack[] = [];
    let previousId: string | null = null;
    for (let point = 0; point < plan.pointsPerMachine; point += 1) {
      const changed = point === 0 ? plan.firstLeaves : plan.laterLeaves;
      const first = point === 0 ? 0 : Math.floor(Math.random() * (plan.firstLeaves - changed));
      for (let leaf = first; leaf < first + changed; leaf += 1) leaves[leaf] = await this.leaf(meta, packs, plan.chunksPerLeaf);
      previousId = await this.point(meta, { machineId, leaves, previousId });
    }
    packs.push(...(await meta.finish()));
    for (const { name, bytes } of encodeSegments(packs, { vaultId: this.vaultId, idKey: this.keys.idKey })) {
      await this.store.put(name, bytes);
    }
    this.chunks += nodes;
  }

  private metaWriter(nodes: number): PackingWriter {
    const knownSlots = knownSlotsFor(nodes);
    const seed = {
      ...{
        store: { kind: 'directory' as const, path: '' },
        vaultId: this.vaultId,
        keys: this.keys,
        idAlgorithm: 'blake3' as const,
      },
      ...{ compressionLevel: 1, knownChunks: allocateKnownChunks(knownSlots), knownSlots, packTargetBytes: 4 << 20 },
    };
    return new PackingWriter(seed, { store: this.store, kind: 'meta' });
  }

  private async node(meta: PackingWriter, bytes: Buffer, type: 'leaf' | 'page' | 'root'): Promise<Buffer> {
    const id = Buffer.alloc(32);
    meta.addTyped(bytes, id, type);
    if (meta.drainNeeded) await meta.drain();
    return id;
  }

  /** A leaf of new chunks, which lie in new packs. */
  private async leaf(meta: PackingWriter, packs: SealedPack[], chunks: number): Promise<Buffer> {
    const length = regionBytes / chunks;
    const ids = randomFillSync(Buffer.alloc(chunks * 32));
    const idAt = (at: number) => ids.subarray(at * 32, at * 32 + 32);
    for (let at = 0; at < chunks; at += chunksPerPack) {
      const entries = Buffer.alloc(Math.min(chunksPerPack, chunks - at) * entryBytes);
      for (let to = 0; to < entries.length; to += entryBytes) {
        const place = to / entryBytes;
        idAt(at + place).copy(entries, to);
        entries.writeUInt32LE(128 + place * 200_000, to + 36);
        entries.writeUInt32LE(200_000, to + 40);
        entries.writeUInt32LE(((1 << 28) | length) >>> 0, to + 44);
      }
      packs.push({ name: dataPackName(this.dataPacks), sizeBytes: dataPackBytes, kind: 'data', entries });
      this.dataPacks += 1;
    }
    this.chunks += chunks;
    const bytes = encodeLeaf(
      Array.from({ length: chunks }, (_, at) => ({ at: at * length, length, chunk: idAt(at), chunkOffset: 0 })),
    );
    return this.node(meta, bytes, 'leaf');
  }

  private async point(
    meta: PackingWriter,
    of: { machineId: string; leaves: readonly Buffer[]; previousId: string | null },
  ): Promise<string> {
    const { machineId, leaves, previousId } = of;
    const sizeBytes = leaves.length * regionBytes;
    const children: ChildId[] = leaves.map((id, index) => ({ index, id }));
    const page = await this.node(meta, encodePage(children), 'page');
    const root = await this.node(meta, encodeRoot([{ index: 0, id: page }], sizeBytes), 'root');
    const id = randomBytes(16).toString('hex');
    this.day += 1;
    const { machineName, source, kind, method } = beginning();
    const header = {
      ...{ id, kind, method, machineId, machineName, source, parentId: previousId },
      createdAt: new Date(Date.UTC(2020, 0, 1) + this.day * 60_000).toISOString(),
      ...{ sizeBytes, usedBytes: sizeBytes, newBytes: sizeBytes, storedBytes: sizeBytes },
    };
    const body = { disks: [diskInfo(root.toString('hex'), sizeBytes)], warnings: [], gcSeen: 0, previousId };
    const { name, bytes } = encodeManifest(header, body, { vaultId: this.vaultId, keys: this.keys });
    await this.store.put(name, bytes);
    return id;
  }
}
