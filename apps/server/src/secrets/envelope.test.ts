import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openSecret, sealSecret } from './envelope.ts';

const key = randomBytes(32);
const place = { table: 'vaults', id: 'a', column: 'key' };

test('opens to what was sealed', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (plain) => {
      expect(openSecret(key, place, sealSecret(key, place, plain))).toEqual(Buffer.from(plain));
    }),
  );
});

test('does not open with another key, in another row or column, or changed anywhere', () => {
  const sealed = sealSecret(key, place, Buffer.from('secret'));
  expect(sealed).not.toContain('secret');
  expect(() => openSecret(randomBytes(32), place, sealed)).toThrow(/does not open/);
  for (const other of [{ table: 'x' }, { id: 'b' }, { column: 'c' }]) {
    expect(() => openSecret(key, { ...place, ...other }, sealed)).toThrow(/does not open/);
  }
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = `${sealed.slice(0, at)}${sealed[at] === 'A' ? 'B' : 'A'}${sealed.slice(at + 1)}`;
    // The last characters of base64 may carry bits that mean nothing.
    if (Buffer.from(changed.split('.')[2] ?? '', 'base64url').equals(Buffer.from(sealed.split('.')[2] ?? '', 'base64url'))) {
      if (changed.split('.')[0] === 'v1' && changed.split('.')[1] === sealed.split('.')[1]) continue;
    }
    expect(() => openSecret(key, place, changed), `character ${at}`).toThrow(/does not open/);
  }
});
