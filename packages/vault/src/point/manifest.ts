/** [F17] The manifest: the only thing that makes a point exist. Public header, sealed body, MAC of the write capability. */
import * as z from 'zod';
import { ByteReader, ByteWriter } from '../bytes.ts';
import { VaultError } from '../errors.ts';
import { deriveKey, hmac, sha256 } from '../keys/derive.ts';
import { type Sealed, seal, unseal } from '../keys/seal.ts';
import { nameSegment } from '../stores/names.ts';
import type { PointBody, PointHeader, VaultKeys } from '../types.ts';

const magic = 'DFPOINT1';
const version = 1;
const endBytes = 64;

const size = z.int().min(0);

const headerShape: z.ZodType<PointHeader> = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{32}$/),
  kind: z.enum(['system', 'disk', 'partition', 'file']),
  method: z.enum(['full', 'incremental', 'differential']),
  machineId: z.string(),
  machineName: z.string(),
  source: z.string(),
  createdAt: z.iso.datetime(),
  parentId: z.string().nullable(),
  sizeBytes: size,
  usedBytes: size,
  newBytes: size,
  storedBytes: size,
});

/** What a volume holds. Of an LVM physical volume also its logical volumes, and what those hold: no deeper. */
const contentShape = z.object({
  kind: z.string(),
  label: z.string(),
  uuid: z.string(),
  totalBytes: size,
  usedBytes: size,
  clean: z.boolean().nullable(),
  details: z.string().optional(),
});
const filesystemShape = contentShape.extend({
  volumes: z
    .array(z.object({ name: z.string(), sizeBytes: size, type: z.string(), filesystem: contentShape.nullable() }))
    .optional(),
});

const partitionShape = z.object({
  number: z.int(),
  startBytes: size,
  sizeBytes: size,
  type: z.string(),
  typeName: z.string(),
  id: z.string().nullable(),
  name: z.string(),
  filesystem: filesystemShape.nullable(),
  content: z.literal('leftOut').optional(),
});

const bodyShape: z.ZodType<PointBody> = z.object({
  disks: z.array(
    z.object({
      name: z.string(),
      model: z.string(),
      serial: z.string(),
      sizeBytes: size,
      sectorBytes: size,
      usedBytes: size,
      table: z.enum(['gpt', 'mbr']).nullable(),
      tableId: z.string().nullable(),
      partitions: z.array(partitionShape),
      mapRootId: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ),
  warnings: z.array(z.string()),
  gcSeen: z.int().min(0).optional(),
  previousId: z.string().nullable().optional(),
});

const hash = (text: string) => sha256(text).toString('hex');

/** [F1] The prefix of all points of one machine. */
export function pointsOfMachine(machineId: string): string {
  return `points/${nameSegment(machineId, hash)}/`;
}

/** [F1] The prefix of all points of one source. */
export function pointsOfSeries(machineId: string, source: string): string {
  return `${pointsOfMachine(machineId)}${nameSegment(source, hash)}/`;
}

/** [F1] `points/<machine>/<source>/<time>-<id>.adi`, so that a listing alone orders the points of a series. */
export function pointObjectName(header: Pick<PointHeader, 'machineId' | 'source' | 'createdAt' | 'id' | 'kind'>): string {
  const time = header.createdAt.replaceAll(/[-:.]/g, '').toLowerCase();
  const extension = header.kind === 'file' ? 'afi' : 'adi';
  return `${pointsOfSeries(header.machineId, header.source)}${time}-${header.id}.${extension}`;
}

/** The id in a point's object name, or null. */
export function pointIdOfName(name: string): string | null {
  return /-([0-9a-f]{32})\.a[df]i$/.exec(name)?.[1] ?? null;
}

export interface ManifestKeys {
  readonly vaultId: string;
  readonly keys: VaultKeys;
}

export function encodeManifest(header: PointHeader, body: PointBody, vault: ManifestKeys): { name: string; bytes: Buffer } {
  const name = pointObjectName(header);
  const headerLine = Buffer.from(JSON.stringify(header));
  const plain = Buffer.from(JSON.stringify(body));
  const publicKey = vault.keys.publicKey;
  const sealed: Sealed =
    publicKey === null
      ? { ephemeralKey: Buffer.alloc(32), box: plain }
      : seal(publicKey, plain, { purpose: 'manifest body', aad: Buffer.from(name) });
  const out = new ByteWriter()
    .text(magic)
    .u16(version)
    .u16(publicKey === null ? 0 : 1);
  out.u32(headerLine.length).u32(sealed.box.length).zeros(12).raw(sealed.ephemeralKey).raw(headerLine).raw(sealed.box);
  out.raw(macOf(out.bytes(), name, vault));
  out.raw(sha256(out.bytes()));
  return { name, bytes: Buffer.from(out.bytes()) };
}

/** The MAC covers the name: a manifest moved to another time or machine is refused. */
function macOf(bytes: Uint8Array, name: string, vault: { vaultId: string; keys: { idKey: Uint8Array } }): Buffer {
  return hmac(deriveKey(vault.keys.idKey, vault.vaultId, 'manifest'), name, Buffer.of(0), bytes);
}

export interface Manifest {
  readonly header: PointHeader;
  /** @throws VaultError `VAULT_KEY_NEEDED`, `POINT_DAMAGED`. */
  openBody(): PointBody;
}

/**
 * Checks hash, name and (given the id key) MAC, and reads the header.
 * @throws VaultError `POINT_DAMAGED`.
 */
export function decodeManifest(bytes: Buffer, name: string, vault: { vaultId: string; keys: VaultKeys | null }): Manifest {
  const reader = new ByteReader(bytes, `the restore point ${name}`, 'POINT_DAMAGED');
  const end = Math.max(0, bytes.length - endBytes);
  if (!sha256(bytes.subarray(0, end + 32)).equals(bytes.subarray(end + 32))) reader.fail('its checksum does not match');
  if (
    vault.keys !== null &&
    !macOf(bytes.subarray(0, end), name, { vaultId: vault.vaultId, keys: vault.keys }).equals(bytes.subarray(end, end + 32))
  )
    reader.fail('it was not written under this name by a writer of this vault');
  reader.magic(magic);
  if (reader.u16() !== version)
    throw new VaultError('VAULT_TOO_NEW', `${name} has a version this program (version 1) does not know`);
  const sealed = reader.u16();
  const headerLength = reader.u32();
  const boxLength = reader.u32();
  reader.zeros(12);
  const ephemeralKey = reader.take(32);
  const header = parseJson(reader.take(headerLength), headerShape, reader);
  const box = reader.take(boxLength);
  reader.take(endBytes);
  reader.end();
  if (pointObjectName(header) !== name) reader.fail('its name is not that of what it holds');
  const openBody = (): PointBody => {
    if (sealed === 0) return parseJson(box, bodyShape, reader);
    if (vault.keys === null || vault.keys.privateKey === null) {
      throw new VaultError('VAULT_KEY_NEEDED', 'opening a restore point of this vault needs its private key or passphrase');
    }
    const plain = unseal(vault.keys, { ephemeralKey, box }, { purpose: 'manifest body', aad: Buffer.from(name) });
    return parseJson(plain ?? reader.fail('its body does not open'), bodyShape, reader);
  };
  return { header, openBody };
}

function parseJson<T>(bytes: Buffer, shape: z.ZodType<T>, reader: ByteReader): T {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    return reader.fail('it does not hold JSON');
  }
  const parsed = shape.safeParse(value);
  return parsed.success ? parsed.data : reader.fail('a field is missing or wrong');
}
