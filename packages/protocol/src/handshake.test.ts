import { randomBytes, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { generateIdentity, handshakeBytes, rawPrivateKey, signBytes, verifyBytes } from './handshake.ts';

const facts = {
  machineId: randomUUID(),
  serverId: 'server-1',
  agentNonce: randomBytes(32).toString('base64'),
  serverNonce: randomBytes(32).toString('base64'),
};

describe('mutual challenge', () => {
  const agent = generateIdentity();
  const signature = signBytes(rawPrivateKey(agent.privateKey), handshakeBytes('agent', facts));

  test('[P3] a true proof is accepted', () => {
    expect(verifyBytes(agent.publicKey, handshakeBytes('agent', facts), signature)).toBe(true);
  });

  test('[P3] a reflected proof is refused', () => {
    expect(verifyBytes(agent.publicKey, handshakeBytes('server', facts), signature)).toBe(false);
  });

  test('[P3] any other fact is refused', () => {
    for (const name of ['machineId', 'serverId', 'agentNonce', 'serverNonce'] as const) {
      expect(verifyBytes(agent.publicKey, handshakeBytes('agent', { ...facts, [name]: `${facts[name]}x` }), signature)).toBe(
        false,
      );
    }
  });

  test('[P3] fields cannot slide into each other', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ maxLength: 6 }), { minLength: 4, maxLength: 4 }),
        fc.array(fc.string({ maxLength: 6 }), { minLength: 4, maxLength: 4 }),
        (a, b) => {
          const toFacts = ([machineId = '', serverId = '', agentNonce = '', serverNonce = '']: string[]) => ({
            machineId,
            serverId,
            agentNonce,
            serverNonce,
          });
          const same = handshakeBytes('agent', toFacts(a)).equals(handshakeBytes('agent', toFacts(b)));
          return same === a.every((text, index) => Buffer.from(text, 'utf8').equals(Buffer.from(b[index] ?? '', 'utf8')));
        },
      ),
    );
  });

  test('[P3] mutated signatures and keys are refused, never thrown', () => {
    fc.assert(
      fc.property(fc.base64String({ maxLength: 120 }), fc.base64String({ maxLength: 60 }), (badSignature, badKey) => {
        expect(verifyBytes(agent.publicKey, handshakeBytes('agent', facts), badSignature)).toBe(false);
        expect(verifyBytes(badKey, handshakeBytes('agent', facts), signature)).toBe(false);
      }),
      { numRuns: 300 },
    );
  });
});
