/**
 * The agent's half of the mutual challenge, as pure steps. The agent says nothing of itself (no inventory, no outcome) before the
 * server has proven the key that was pinned at enrolment.
 */
import { randomBytes } from 'node:crypto';
import {
  type AgentMessage,
  type HandshakeFacts,
  handshakeBytes,
  PRODUCT_VERSION,
  PROTOCOL_VERSION,
  rawPrivateKey,
  type ServerMessage,
  signBytes,
  verifyBytes,
} from '@diskfleet/protocol';
import { AgentError } from '../errors.ts';
import type { Identity } from './identity.ts';

type Challenge = Extract<ServerMessage, { type: 'challenge' }>;
type Welcome = Extract<ServerMessage, { type: 'welcome' }>;

export interface Proof {
  readonly message: Extract<AgentMessage, { type: 'prove' }>;
  readonly facts: HandshakeFacts;
}

/** @throws AgentError `SERVER_KEY_CHANGED` when it is another server, `AGENT_TOO_OLD`, `AGENT_TOO_NEW` */
export function answerChallenge(identity: Identity, challenge: Challenge, nonce: () => Buffer = () => randomBytes(32)): Proof {
  if (challenge.serverId !== identity.serverId) {
    throw new AgentError('SERVER_KEY_CHANGED', `it calls itself ${challenge.serverId}, not ${identity.serverId}`);
  }
  if (PROTOCOL_VERSION < challenge.protocolMin) {
    throw new AgentError(
      'AGENT_TOO_OLD',
      `the server needs protocol ${challenge.protocolMin}, this agent speaks ${PROTOCOL_VERSION}`,
    );
  }
  if (PROTOCOL_VERSION > challenge.protocolMax) {
    throw new AgentError(
      'AGENT_TOO_NEW',
      `the server speaks up to protocol ${challenge.protocolMax}, this agent ${PROTOCOL_VERSION}`,
    );
  }
  const facts = {
    machineId: identity.machineId,
    serverId: identity.serverId,
    agentNonce: nonce().toString('base64'),
    serverNonce: challenge.serverNonce,
  };
  const signature = signBytes(rawPrivateKey(identity.privateKey), handshakeBytes('agent', facts));
  const { machineId, agentNonce } = facts;
  return {
    facts,
    message: {
      type: 'prove',
      machineId,
      agentVersion: PRODUCT_VERSION,
      protocolVersion: PROTOCOL_VERSION,
      agentNonce,
      signature,
    },
  };
}

/** @throws AgentError `SERVER_KEY_CHANGED` unless the welcome is signed by the pinned key over exactly this connection's facts */
export function checkWelcome(identity: Identity, facts: HandshakeFacts, welcome: Welcome): void {
  if (verifyBytes(identity.serverPublicKey, handshakeBytes('server', facts), welcome.signature)) return;
  throw new AgentError('SERVER_KEY_CHANGED', 'it could not prove the key this PC was enrolled with');
}
