/**
 * Everything that travels on the agent socket, as two versioned unions. Bulk bytes never do. PROTOCOL.md has the numbered rules.
 * Order of a connection: challenge → prove → welcome | refusal → hello → offers, progress and outcomes.
 */
import * as z from 'zod';
import { inventoryShape } from './inventory.ts';
import { failureShape, jobOutcomeShape, logLineShape, offeredJobShape, progressShape } from './jobs.ts';
import { base64, foreignText, uuid } from './text.ts';

const attempt = z.number().int().min(1);

export const agentMessageShape = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('prove'),
    machineId: uuid,
    agentVersion: foreignText(32),
    protocolVersion: z.number().int(),
    agentNonce: base64,
    signature: base64,
  }),
  z.object({
    type: z.literal('hello'),
    inventory: inventoryShape,
    running: z.array(z.object({ jobId: uuid, attempt })).max(100),
    /** Outcomes not yet acknowledged. */
    done: z.array(jobOutcomeShape).max(500),
  }),
  z.object({ type: z.literal('inventory'), requestId: uuid.nullable(), inventory: inventoryShape }),
  z.object({ type: z.literal('accept'), jobId: uuid, attempt }),
  z.object({ type: z.literal('decline'), jobId: uuid, attempt, failure: failureShape }),
  z.object({ type: z.literal('progress'), jobId: uuid, attempt, progress: progressShape }),
  z.object({ type: z.literal('log'), jobId: uuid, attempt, lines: z.array(logLineShape).min(1).max(100) }),
  z.object({ type: z.literal('done'), outcome: jobOutcomeShape }),
]);
export type AgentMessage = z.infer<typeof agentMessageShape>;

export const refusalCodes = [
  'AGENT_TOO_OLD',
  'AGENT_TOO_NEW',
  'AGENT_REVOKED',
  'AGENT_PENDING',
  'AGENT_QUARANTINED',
  'AGENT_UNKNOWN',
  'AGENT_BAD_SIGNATURE',
  'SERVER_BUSY',
] as const;
export type RefusalCode = (typeof refusalCodes)[number];

export const serverMessageShape = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('challenge'),
    serverId: foreignText(64),
    serverNonce: base64,
    protocolMin: z.number().int(),
    protocolMax: z.number().int(),
  }),
  z.object({
    type: z.literal('welcome'),
    signature: base64,
    machineName: foreignText(253),
    now: z.iso.datetime(),
    heartbeatMs: z.number().int().min(1000),
  }),
  /** The agent keeps its key and tries again after `retryAfterMs`; null = only after a person acted, checked once in a while. */
  z.object({
    type: z.literal('refusal'),
    code: z.enum(refusalCodes),
    message: foreignText(500),
    retryAfterMs: z.number().int().nullable(),
  }),
  z.object({ type: z.literal('offer'), job: offeredJobShape }),
  z.object({ type: z.literal('cancel'), jobId: uuid }),
  z.object({ type: z.literal('ack'), jobId: uuid, attempt }),
  /** The vault token of a running job is about to expire: use this one from now on. */
  z.object({ type: z.literal('renewToken'), jobId: uuid, attempt, token: z.string().max(4096) }),
  z.object({ type: z.literal('refreshInventory'), requestId: uuid }),
]);
export type ServerMessage = z.infer<typeof serverMessageShape>;

export const MAX_MESSAGE_BYTES = 1 << 20;

// ---- enrolment: POST <server>/agents/enrol ------------------------------------------------------------------------

export const enrolRequestShape = z.object({
  token: z.string().min(16).max(128),
  /** Raw Ed25519 public key, base64. */
  publicKey: base64,
  agentVersion: foreignText(32),
  protocolVersion: z.number().int(),
  inventory: inventoryShape,
});
export const enrolResponseShape = z.object({
  machineId: uuid,
  serverId: z.string().max(64),
  /** Raw Ed25519 public key of the server, base64; pinned by the agent from now on. */
  serverPublicKey: base64,
  state: z.enum(['pending', 'approved']),
});
export type EnrolRequest = z.infer<typeof enrolRequestShape>;
export type EnrolResponse = z.infer<typeof enrolResponseShape>;
