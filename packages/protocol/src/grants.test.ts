import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openVaultToken, openWriteGrant, signGrant, type VaultToken, type WriteGrant } from './grants.ts';
import { generateIdentity, rawPrivateKey, rawPublicKey } from './handshake.ts';

const server = generateIdentity();
const privateKey = rawPrivateKey(server.privateKey);
const publicKey = rawPublicKey(server.publicKey);
const now = new Date('2026-01-01T00:00:00Z');
const later = '2026-01-01T00:10:00.000Z';
const vaultToken: VaultToken = { purpose: 'vault', vaultId: 'v1', machineId: 'm1', verbs: ['write'], expiresAt: later };
const writeGrant: WriteGrant = {
  purpose: 'diskWrite',
  nonce: randomUUID(),
  machineId: randomUUID(),
  jobId: randomUUID(),
  planHash: 'a'.repeat(64),
  targetKey: 'SERIAL',
  targetFingerprint: 'f',
  expiresAt: later,
  approvedBy: 'owner@example.org',
};

describe('grants', () => {
  test('[P8] a grant opens as what it was signed for', () => {
    expect(openVaultToken(publicKey, signGrant(privateKey, vaultToken), now)).toEqual(vaultToken);
    expect(openWriteGrant(publicKey, signGrant(privateKey, writeGrant), now)).toEqual(writeGrant);
  });

  test('[P8] one kind is never taken for another', () => {
    expect(openWriteGrant(publicKey, signGrant(privateKey, vaultToken), now)).toBe('wrong-purpose');
    expect(openVaultToken(publicKey, signGrant(privateKey, writeGrant), now)).toBe('wrong-purpose');
  });

  test('[P8] an expired grant is refused, to the millisecond', () => {
    const text = signGrant(privateKey, vaultToken);
    expect(openVaultToken(publicKey, text, new Date(Date.parse(later) - 1))).toEqual(vaultToken);
    expect(openVaultToken(publicKey, text, new Date(later))).toBe('expired');
  });

  test('[P8] another key’s signature is refused', () => {
    expect(openVaultToken(rawPublicKey(generateIdentity().publicKey), signGrant(privateKey, vaultToken), now)).toBe(
      'bad-signature',
    );
  });

  test('[P8] no changed character opens', () => {
    const text = signGrant(privateKey, vaultToken);
    const reference = openVaultToken(publicKey, text, now);
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom(...'ABCabc019-_.'), (at, letter) => {
        const changed = text.slice(0, at) + letter + text.slice(at + 1);
        const opened = openVaultToken(publicKey, changed, now);
        // The last base64url character carries unused bits: a different spelling of the same bytes is the same grant.
        if (typeof opened !== 'string') expect(opened).toEqual(reference);
        else expect(['malformed', 'bad-signature']).toContain(opened);
      }),
      { numRuns: 500 },
    );
  });

  test('[P8] garbage never throws', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (text) => typeof openWriteGrant(publicKey, text, now) === 'string'),
      { numRuns: 500 },
    );
  });
});
