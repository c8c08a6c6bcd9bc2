import { generateIdentity, handshakeBytes, rawPrivateKey, signBytes } from '@diskfleet/protocol';
import { expect, test } from 'vitest';
import { type Claim, judgeProof } from './handshake.ts';

/** Seeded, so that a failing run can be had again. */
function chance(seed: number) {
  let state = seed;
  return (below: number) => {
    // mulberry32: the low bits of simpler generators repeat soon, and repeated nonces would be honest replays.
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const agent = generateIdentity();
const server = generateIdentity();
const other = generateIdentity();
const machineId = crypto.randomUUID();
const serverId = 'server-1';

function nonce(pick: (below: number) => number): string {
  return Buffer.from(Array.from({ length: 32 }, () => pick(256))).toString('base64');
}

/** A proof as an honest agent makes it, or with another key or role. */
function prove(input: {
  serverNonce: string;
  agentNonce: string;
  key?: string;
  role?: 'agent' | 'server';
  serverId?: string;
  machineId?: string;
}): Claim {
  const facts = {
    machineId: input.machineId ?? machineId,
    serverId: input.serverId ?? serverId,
    agentNonce: input.agentNonce,
    serverNonce: input.serverNonce,
  };
  const signature = signBytes(rawPrivateKey(input.key ?? agent.privateKey), handshakeBytes(input.role ?? 'agent', facts));
  const proof = {
    type: 'prove',
    machineId: facts.machineId,
    agentVersion: '1',
    protocolVersion: 1,
    agentNonce: facts.agentNonce,
    signature,
  } as const;
  return { proof, serverId, serverNonce: input.serverNonce, known: { publicKey: agent.publicKey, state: 'approved' } };
}

test('[P2] an honest proof is accepted, and each refusal has its name', () => {
  const pick = chance(1);
  const honest = prove({ serverNonce: nonce(pick), agentNonce: nonce(pick) });
  expect(judgeProof(honest)).toBeNull();
  const change = (proof: Partial<Claim['proof']>) => judgeProof({ ...honest, proof: { ...honest.proof, ...proof } });
  expect(change({ protocolVersion: 0 })).toBe('AGENT_TOO_OLD');
  expect(change({ protocolVersion: 99 })).toBe('AGENT_TOO_NEW');
  expect(judgeProof({ ...honest, known: null })).toBe('AGENT_UNKNOWN');
  const as = (state: 'pending' | 'revoked') => judgeProof({ ...honest, known: { publicKey: agent.publicKey, state } });
  expect(as('pending')).toBe('AGENT_PENDING');
  expect(as('revoked')).toBe('AGENT_REVOKED');
  const stranger = { ...prove({ serverNonce: honest.serverNonce, agentNonce: nonce(pick), key: other.privateKey }) };
  expect(judgeProof({ ...stranger, known: { publicKey: agent.publicKey, state: 'revoked' } }), 'a stranger learns nothing').toBe(
    'AGENT_BAD_SIGNATURE',
  );
});

test('[P3] of 20,000 mutated, replayed and reflected proofs none is accepted', () => {
  const pick = chance(20_260_722);
  const past = prove({ serverNonce: nonce(pick), agentNonce: nonce(pick) });
  const cheap = Buffer.from(past.proof.signature, 'base64');
  let accepted = 0;
  let tried = 0;
  const attempt = (claim: Claim) => {
    tried += 1;
    if (judgeProof(claim) === null) accepted += 1;
  };
  while (tried < 20_000) {
    const serverNonce = nonce(pick);
    // Replayed on another connection.
    attempt({ ...past, serverNonce });
    // Bits turned in the signature.
    const bent = Buffer.from(cheap);
    const at = pick(bent.length);
    bent[at] = (bent[at] ?? 0) ^ (1 << pick(8));
    attempt({ ...past, proof: { ...past.proof, signature: bent.toString('base64') } });
    // Fields exchanged for others after signing.
    attempt({ ...past, proof: { ...past.proof, agentNonce: nonce(pick) } });
    attempt({ ...past, proof: { ...past.proof, machineId: crypto.randomUUID() } });
    attempt({ ...past, serverId: `server-${pick(1e6) + 2}` });
    // Cut or empty.
    attempt({ ...past, proof: { ...past.proof, signature: cheap.subarray(0, pick(64)).toString('base64') } });
    attempt({ ...past, proof: { ...past.proof, agentNonce: '' } });
    if (tried % 7 !== 0) continue;
    const agentNonce = nonce(pick);
    // The server's own proof sent back to it, as its role and as ours; another key; made for another server or machine.
    attempt(prove({ serverNonce, agentNonce, key: server.privateKey, role: 'server' }));
    attempt(prove({ serverNonce, agentNonce, role: 'server' }));
    attempt(prove({ serverNonce, agentNonce, key: other.privateKey }));
    attempt({ ...prove({ serverNonce, agentNonce, serverId: 'server-2' }), serverId });
    attempt({ ...prove({ serverNonce, agentNonce: 'c2hvcnQ=' }) });
  }
  expect(tried).toBeGreaterThanOrEqual(20_000);
  expect(accepted).toBe(0);
}, 20_000);
