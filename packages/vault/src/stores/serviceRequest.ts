/** One HTTP request to the vault service, and what its failures mean. */
import * as z from 'zod';
import { VaultError, type VaultErrorCode } from '../errors.ts';
import { exchange, type HttpExchange, PassingFailure, type Reply } from './httpExchange.ts';

export interface ServiceRequest extends HttpExchange {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'DELETE';
  readonly token: string;
  /** 404 is an answer, not a failure. */
  readonly absentIsFine?: boolean;
}

/** @throws PassingFailure, VaultError. */
export async function sendOnce(wanted: ServiceRequest): Promise<Reply> {
  const headers = { authorization: `Bearer ${wanted.token}`, ...wanted.headers };
  return judge(await exchange({ ...wanted, headers }), wanted);
}

const errorShape = z.object({ error: z.object({ code: z.string(), message: z.string() }) });
const passedOn: ReadonlySet<string> = new Set<VaultErrorCode>([
  'VAULT_NOT_FOUND',
  'VAULT_EXISTS',
  'VAULT_OBJECT_MISSING',
  'VAULT_STORE_FAILED',
  'VAULT_FULL',
  'VAULT_QUOTA',
  'VAULT_RETAINED',
  'VAULT_REFUSED',
]);

/** @throws PassingFailure, VaultError for every status that is not an answer. */
function judge(reply: Reply, wanted: ServiceRequest): Reply {
  const { status } = reply;
  if ((status >= 200 && status < 300) || (status === 404 && wanted.absentIsFine)) return reply;
  const told = readError(reply.body);
  const message = told?.message ?? `the vault service answered ${status} to ${wanted.method}`;
  if (status === 507)
    throw new VaultError(told?.code === 'VAULT_QUOTA' ? 'VAULT_QUOTA' : 'VAULT_FULL', message, { retry: 'later' });
  if (status === 401 || status === 403) throw new VaultError('VAULT_REFUSED', message);
  if (status >= 500 || status === 429 || status === 408) throw new PassingFailure(message, { onReusedSocket: false });
  if (told !== null && isPassedOn(told.code)) throw new VaultError(told.code, message);
  if (status === 404 || status === 416) throw new VaultError('VAULT_OBJECT_MISSING', message);
  throw new VaultError('VAULT_STORE_FAILED', message);
}

function isPassedOn(code: string): code is VaultErrorCode {
  return passedOn.has(code);
}

function readError(body: Buffer): { code: string; message: string } | null {
  try {
    const parsed = errorShape.safeParse(JSON.parse(body.toString('utf8')));
    return parsed.success ? parsed.data.error : null;
  } catch {
    return null;
  }
}
