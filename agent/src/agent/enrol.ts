/** Joining a server: a fresh key, one POST, and the server's key pinned. */
import {
  enrolResponseShape,
  generateIdentity,
  isFailureCode,
  keyFingerprint,
  PRODUCT_VERSION,
  PROTOCOL_VERSION,
} from '@diskfleet/protocol';
import * as z from 'zod';
import { AgentError } from '../errors.ts';
import { readSettings, setRemoteWrites } from '../inventory/settings.ts';
import { takeInventory } from '../inventory/takeInventory.ts';
import type { Platform } from '../platform/types.ts';
import { readIdentity, writeIdentity } from './identity.ts';

export interface EnrolRequestOptions {
  readonly serverUrl: string;
  readonly token: string;
  readonly folder: string;
  /** Null keeps what the settings say. */
  readonly allowRemoteDiskWrites: boolean | null;
  readonly platform: Platform;
  readonly env: NodeJS.ProcessEnv;
  readonly now: () => Date;
  readonly signal: AbortSignal;
}

export interface Enrolled {
  readonly machineId: string;
  readonly state: 'pending' | 'approved';
  readonly serverId: string;
  readonly keyFingerprint: string;
}

/**
 * Enrols this PC. A PC that was enrolled before keeps its key, so the same server recognises it; only the answer of the server
 * replaces the old identity.
 * @throws AgentError `ENROL_TOKEN_INVALID` and other refusals of the server, `SERVER_UNREACHABLE`, `INVALID_INPUT`
 */
export async function enrol(options: EnrolRequestOptions): Promise<Enrolled> {
  const { folder, platform, now } = options;
  const base = serverBase(options.serverUrl);
  const before = await readIdentity(folder);
  const keys = before === null ? generateIdentity() : { publicKey: before.publicKey, privateKey: before.privateKey };
  if (options.allowRemoteDiskWrites !== null) await setRemoteWritesIn(folder, options.allowRemoteDiskWrites);
  const inventory = await takeInventory(platform, await readSettings(folder, { create: true, env: options.env }), now);
  const body = {
    token: options.token,
    publicKey: keys.publicKey,
    agentVersion: PRODUCT_VERSION,
    protocolVersion: PROTOCOL_VERSION,
    inventory,
  };
  const answer = enrolResponseShape.safeParse(await post(`${base}/agents/enrol`, body, options.signal));
  if (!answer.success) throw new AgentError('SERVER_UNREACHABLE', `${base} answered, but not as a Diskfleet server does`);
  const { machineId, serverId, serverPublicKey, state } = answer.data;
  const enrolledAt = now().toISOString();
  await writeIdentity(folder, { version: 1, machineId, serverUrl: base, serverId, serverPublicKey, ...keys, enrolledAt });
  return { machineId, state, serverId, keyFingerprint: keyFingerprint(keys.publicKey) };
}

async function setRemoteWritesIn(folder: string, allow: boolean): Promise<void> {
  await readSettings(folder, { create: true });
  await setRemoteWrites(folder, allow);
}

/** @throws AgentError `INVALID_INPUT` */
export function serverBase(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new AgentError('INVALID_INPUT', `"${text}" is not the address of a server; it looks like https://backup.example.org`);
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

const refusalShape = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

async function post(url: string, body: unknown, signal: AbortSignal): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(30_000)]),
    });
  } catch (cause) {
    if (signal.aborted) throw new AgentError('CANCELLED', '');
    throw new AgentError('SERVER_UNREACHABLE', `${url} does not answer`, { retry: 'later', cause });
  }
  const json: unknown = await response.json().catch(() => null);
  if (response.ok) return json;
  const refusal = refusalShape.safeParse(json);
  // A server that is starting or overloaded says so with these; everything else needs a person.
  const retry = response.status >= 500 || response.status === 429 ? 'later' : 'never';
  if (!refusal.success) throw new AgentError('SERVER_UNREACHABLE', `${url} answered with status ${response.status}`, { retry });
  const { code, message } = refusal.data.error;
  throw new AgentError(isFailureCode(code) ? code : 'INTERNAL', message, { retry });
}
