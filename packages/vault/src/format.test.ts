/**
 * A second reader, written from FORMAT.md with nothing of this package: if the document and the code part ways, this fails.
 * It finds chunks by the forward scan [F10], so it also proves that a vault can be read without trailers and index.
 */
import {
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
} from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { crc32, zstdDecompressSync } from 'node:zlib';
import { Blake3Hasher } from '@napi-rs/blake-hash';
import { hashRaw } from '@node-rs/argon2';
import { describe, expect, it } from 'vitest';

const golden = fileURLToPath(new URL('./testing/golden/v1/', import.meta.url));
const sha = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');
const hkdf = (key: Uint8Array, salt: string | Uint8Array, info: string) => Buffer.from(hkdfSync('sha256', key, salt, info, 32));

function gcmOpen(key: Buffer, nonce: Buffer, box: { aad: string | Buffer; bytes: Buffer }): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 });
  decipher.setAAD(Buffer.from(box.aad));
  decipher.setAuthTag(box.bytes.subarray(-16));
  return Buffer.concat([decipher.update(box.bytes.subarray(0, -16)), decipher.final()]);
}

interface Keys {
  vaultId: string;
  idKey: Buffer;
  privateKey: Buffer | null;
  publicKey: Buffer | null;
  idAlgorithm: string;
}

/** [F2] */
function checkedText(bytes: Buffer) {
  const [line = '', hash, rest] = bytes.toString('utf8').split('\n');
  expect(hash).toBe(sha(`${line}\n`));
  expect(rest).toBe('');
  return JSON.parse(line);
}

/** [F3] [F4] */
async function openKeys(objects: Map<string, Buffer>, passphrase: string): Promise<Keys> {
  const config = checkedText(objects.get('config') ?? Buffer.alloc(0));
  let idKey: Buffer = Buffer.from(config.idKey ?? '', 'hex');
  let privateKey: Buffer | null = null;
  for (const [name, bytes] of objects) {
    if (!name.startsWith('keys/')) continue;
    const file = checkedText(bytes);
    const options = { algorithm: 2, memoryCost: file.memoryKiB, timeCost: file.passes, parallelism: 1, outputLen: 32 };
    const wrapping = await hashRaw(passphrase.normalize('NFC'), { ...options, salt: Buffer.from(file.salt, 'hex') });
    const aad = `diskfleet v1 key ${config.vaultId}`;
    const plain = gcmOpen(wrapping, Buffer.from(file.nonce, 'hex'), { aad, bytes: Buffer.from(file.wrapped, 'hex') });
    idKey = plain.subarray(0, 32);
    privateKey = plain.subarray(32);
  }
  const lines = [
    config.format,
    config.formatVersion,
    config.vaultId,
    config.encryption,
    config.publicKey ?? '',
    config.idAlgorithm,
  ];
  const check = createHmac('sha256', hkdf(idKey, config.vaultId, 'diskfleet v1 config'))
    .update(lines.join('\n'))
    .digest('hex');
  expect(config.keyCheck).toBe(check);
  const publicKey = config.publicKey === null ? null : Buffer.from(config.publicKey, 'hex');
  return { vaultId: config.vaultId, idKey, privateKey, publicKey, idAlgorithm: config.idAlgorithm };
}

/** [F6] */
function unseal(keys: Keys, fresh: Buffer, box: { purpose: string; aad: string; bytes: Buffer }): Buffer {
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), keys.privateKey ?? Buffer.alloc(0)]);
  const spki = Buffer.concat([Buffer.from('302a300506032b656e032100', 'hex'), fresh]);
  const shared = diffieHellman({
    privateKey: createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }),
    publicKey: createPublicKey({ key: spki, format: 'der', type: 'spki' }),
  });
  const key = hkdf(shared, Buffer.concat([fresh, keys.publicKey ?? Buffer.alloc(0)]), `diskfleet v1 seal ${box.purpose}`);
  return gcmOpen(key, Buffer.alloc(12), box);
}

/** [F8]–[F10]: every chunk of a pack, by forward scan. */
function scanPack(pack: Buffer, keys: Keys, chunks: Map<string, Buffer>): void {
  expect(pack.toString('latin1', 0, 8)).toBe('DFPACK01');
  expect(pack.readUInt32LE(124)).toBe(crc32(pack.subarray(0, 124)));
  const kind = pack[10] === 1 ? 'data' : 'meta';
  const sealed = { purpose: 'pack key', aad: `${keys.vaultId} ${kind}`, bytes: pack.subarray(60, 108) };
  const packKey = pack[11] === 1 ? unseal(keys, pack.subarray(28, 60), sealed) : null;
  for (let at = 128; at + 80 <= pack.length; ) {
    const header = pack.subarray(at, at + 64);
    if (header.toString('latin1', 0, 4) !== 'CHNK' || header.readUInt32LE(60) !== crc32(header.subarray(0, 60))) {
      at += 1;
      continue;
    }
    const payloadBytes = header.readUInt32LE(12);
    const box = pack.subarray(at + 64, at + 80 + payloadBytes);
    const nonce = Buffer.alloc(12);
    nonce.writeUInt32LE(header.readUInt32LE(16), 8);
    const payload = packKey === null ? box.subarray(0, -16) : gcmOpen(packKey, nonce, { aad: header, bytes: box });
    const plain = header[6] === 1 ? zstdDecompressSync(payload) : payload;
    expect(plain.length).toBe(header.readUInt32LE(8));
    const idKey = hkdf(keys.idKey, keys.vaultId, `diskfleet v1 ${header[5] === 1 ? 'data' : 'meta'} chunk id`);
    const id =
      keys.idAlgorithm === 'blake3'
        ? Blake3Hasher.newKeyed(idKey).update(plain).digestBuffer()
        : createHmac('sha256', idKey).update(plain).digest();
    expect(header.toString('hex', 20, 52)).toBe(id.toString('hex'));
    chunks.set(id.toString('hex'), plain);
    at += 80 + payloadBytes;
  }
}

class Cursor {
  bytes: Buffer;
  at = 0;
  constructor(bytes: Buffer | undefined, magic: string) {
    this.bytes = bytes ?? Buffer.alloc(0);
    expect(this.take(4).toString('latin1')).toBe(magic);
    expect(this.take(1)[0]).toBe(1);
  }
  take(length: number): Buffer {
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
  varint(): number {
    for (let value = 0, scale = 1; ; scale *= 128) {
      const byte = this.take(1)[0] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }
  children(): [number, string][] {
    const found: [number, string][] = [];
    let next = 0;
    for (let left = this.varint(); left > 0; left -= 1) {
      const index = next + this.varint();
      found.push([index, this.take(32).toString('hex')]);
      next = index + 1;
    }
    return found;
  }
}

/** [F14]–[F16] */
function readDisk(chunks: Map<string, Buffer>, rootId: string): Buffer {
  const root = new Cursor(chunks.get(rootId), 'ROOT');
  const disk = Buffer.alloc(Number(root.take(8).readBigUInt64LE()));
  for (const [page, pageId] of root.children()) {
    for (const [index, leafId] of new Cursor(chunks.get(pageId), 'PAGE').children()) {
      const leaf = new Cursor(chunks.get(leafId), 'LEAF');
      const chunkCount = leaf.varint();
      const entryCount = leaf.varint();
      const table = Array.from({ length: chunkCount }, () => leaf.take(32).toString('hex'));
      let end = (page * 4096 + index) * (64 << 20);
      let seen = 0;
      for (let count = 0; count < entryCount; count += 1) {
        const at = end + leaf.varint();
        const word = leaf.varint();
        end = at + Math.floor(word / 2);
        if (word % 2 === 0) continue;
        const back = leaf.varint();
        const chunk = chunks.get(table[seen - back] ?? '') ?? Buffer.alloc(0);
        if (back === 0) seen += 1;
        const skip = leaf.varint();
        chunk.copy(disk, at, skip, skip + end - at);
      }
    }
  }
  return disk;
}

/** [F17] */
function readManifest(name: string, bytes: Buffer, keys: Keys) {
  expect(bytes.toString('hex', bytes.length - 32)).toBe(sha(bytes.subarray(0, -32)));
  const mac = createHmac('sha256', hkdf(keys.idKey, keys.vaultId, 'diskfleet v1 manifest'));
  mac.update(name).update(Buffer.of(0)).update(bytes.subarray(0, -64));
  expect(bytes.toString('hex', bytes.length - 64, bytes.length - 32)).toBe(mac.digest('hex'));
  expect(bytes.toString('latin1', 0, 8)).toBe('DFPOINT1');
  const headerBytes = bytes.readUInt32LE(12);
  const boxBytes = bytes.readUInt32LE(16);
  const fresh = bytes.subarray(32, 64);
  const header = JSON.parse(bytes.toString('utf8', 64, 64 + headerBytes));
  const box = bytes.subarray(64 + headerBytes, 64 + headerBytes + boxBytes);
  const body = bytes.readUInt16LE(10) === 1 ? unseal(keys, fresh, { purpose: 'manifest body', aad: name, bytes: box }) : box;
  return { header, body: JSON.parse(body.toString('utf8')) };
}

describe.each(['encrypted', 'plain'])('FORMAT.md read by another program: %s vault', (kind) => {
  it('[F2] [F3] [F4] [F5] [F6] [F7] [F8] [F9] [F10] [F14] [F15] [F16] [F17] gives the same bytes', async () => {
    const expected = JSON.parse(readFileSync(`${golden}${kind}.json`, 'utf8'));
    const objects = new Map<string, Buffer>();
    for (const entry of readdirSync(`${golden}${kind}`, { recursive: true, withFileTypes: true })) {
      const path = `${entry.parentPath}/${entry.name}`;
      if (entry.isFile()) objects.set(path.slice(`${golden}${kind}/`.length), readFileSync(path));
    }
    const keys = await openKeys(objects, expected.encryption.passphrase ?? '');
    const chunks = new Map<string, Buffer>();
    const points = new Map<string, string>();
    for (const [name, bytes] of objects) {
      if (!name.startsWith('packs/')) continue;
      expect(name).toBe(`packs/${sha(bytes).slice(0, 2)}/${sha(bytes)}`);
      scanPack(bytes, keys, chunks);
      checkTrailer(bytes, chunks);
    }
    for (const [name, bytes] of objects) {
      if (name.startsWith('index/')) checkSegment(name, bytes, { keys, objects });
      if (!name.startsWith('points/')) continue;
      const { header, body } = readManifest(name, bytes, keys);
      points.set(header.id, sha(readDisk(chunks, body.disks[0].mapRootId)));
    }
    expect(points).toEqual(
      new Map(expected.points.map((one: { header: { id: string }; sha256: string }) => [one.header.id, one.sha256])),
    );
  });
});

/** [F11] [F12] */
function checkTrailer(pack: Buffer, chunks: Map<string, Buffer>): void {
  const tail = pack.subarray(-64);
  expect(tail.toString('latin1', 0, 8)).toBe('DFTRAIL1');
  const from = Number(tail.readBigUInt64LE(16));
  expect(Number(tail.readBigUInt64LE(24))).toBe(pack.length);
  expect(from + tail.readUInt32LE(12) * 48 + 64).toBe(pack.length);
  expect(tail.toString('hex', 32)).toBe(sha(pack.subarray(from, -32)));
  for (let at = from; at < pack.length - 64; at += 48) {
    const record = pack.readUInt32LE(at + 36);
    expect(pack.toString('hex', record + 20, record + 52)).toBe(pack.toString('hex', at, at + 32));
    expect(pack.readUInt32LE(at + 44) & 0x0fffffff).toBe(chunks.get(pack.toString('hex', at, at + 32))?.length);
    expect(pack.readUInt32LE(at + 44) >>> 28).toBe(pack[record + 5]);
  }
}

/** [F13] */
function checkSegment(name: string, bytes: Buffer, use: { keys: Keys; objects: Map<string, Buffer> }): void {
  const { keys, objects } = use;
  expect(name).toBe(`index/00000000/${sha(bytes)}`);
  const mac = createHmac('sha256', hkdf(keys.idKey, keys.vaultId, 'diskfleet v1 index'))
    .update(bytes.subarray(0, -32))
    .digest('hex');
  expect(bytes.toString('hex', bytes.length - 32)).toBe(mac);
  expect(bytes.toString('hex', 24, 40)).toBe(keys.vaultId.replaceAll('-', ''));
  const [packCount, superseded, entryCount] = [bytes.readUInt32LE(12), bytes.readUInt32LE(16), bytes.readUInt32LE(20)];
  const from = 64 + packCount * 48 + superseded * 32;
  expect(from + entryCount * 48 + 32).toBe(bytes.length);
  let last = '';
  for (let at = from; at < bytes.length - 32; at += 48) {
    const id = bytes.toString('hex', at, at + 32);
    expect(id > last).toBe(true);
    last = id;
    const row = 64 + bytes.readUInt32LE(at + 32) * 48;
    const hash = bytes.toString('hex', row, row + 32);
    const pack = objects.get(`packs/${hash.slice(0, 2)}/${hash}`) ?? Buffer.alloc(0);
    expect(Number(bytes.readBigUInt64LE(row + 32))).toBe(pack.length);
    expect(bytes[row + 40]).toBe(pack[10]);
    const record = bytes.readUInt32LE(at + 36);
    expect(pack.toString('hex', record + 20, record + 52)).toBe(id);
    expect(bytes.readUInt32LE(at + 40)).toBe(pack.readUInt32LE(record + 12) + 80);
  }
}
