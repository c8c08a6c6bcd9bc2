import {
  type AgentMessage,
  handshakeBytes,
  PROTOCOL_VERSION,
  PROTOCOL_VERSION_MIN,
  type RefusalCode,
  verifyBytes,
} from '@diskfleet/protocol';

export type Proof = Extract<AgentMessage, { type: 'prove' }>;

export interface Claim {
  readonly proof: Proof;
  readonly serverId: string;
  /** The nonce of this very connection. */
  readonly serverNonce: string;
  /** What we know of the machine it says it is. */
  readonly known: { readonly publicKey: string; readonly state: 'pending' | 'approved' | 'revoked' } | null;
}

const LEAST_NONCE_BYTES = 16;

/** Why this agent is not let in, or null. Pure. Only who holds the key learns the state of the machine. */
export function judgeProof({ proof, serverId, serverNonce, known }: Claim): RefusalCode | null {
  if (proof.protocolVersion < PROTOCOL_VERSION_MIN) return 'AGENT_TOO_OLD';
  if (proof.protocolVersion > PROTOCOL_VERSION) return 'AGENT_TOO_NEW';
  if (!known) return 'AGENT_UNKNOWN';
  if (Buffer.from(proof.agentNonce, 'base64').length < LEAST_NONCE_BYTES) return 'AGENT_BAD_SIGNATURE';
  const facts = { machineId: proof.machineId, serverId, agentNonce: proof.agentNonce, serverNonce };
  if (!verifyBytes(known.publicKey, handshakeBytes('agent', facts), proof.signature)) return 'AGENT_BAD_SIGNATURE';
  if (known.state === 'revoked') return 'AGENT_REVOKED';
  return known.state === 'pending' ? 'AGENT_PENDING' : null;
}
