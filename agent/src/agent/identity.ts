/** Who this PC is to its server, and who its server is: made at enrolment, readable by this user only, never deleted by the agent. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { AgentError, codeOf } from '../errors.ts';
import { writeFileDurably } from './durableFile.ts';

const identityShape = z.object({
  version: z.literal(1),
  machineId: z.uuid(),
  serverUrl: z.url(),
  serverId: z.string().min(1),
  /** Raw Ed25519 keys, base64. The server's is pinned: no other server is ever talked to. */
  serverPublicKey: z.string().min(1),
  publicKey: z.string().min(1),
  privateKey: z.string().min(1),
  enrolledAt: z.iso.datetime(),
});
export type Identity = z.infer<typeof identityShape>;

/** Null when this PC was never enrolled. @throws AgentError `INVALID_INPUT` when the file is damaged: it is never replaced by guessing. */
export async function readIdentity(folder: string): Promise<Identity | null> {
  const file = join(folder, 'identity.json');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    // Who may not read the agent's folder is not the agent.
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'EACCES' || codeOf(error) === 'ENOTDIR') return null;
    throw error;
  }
  try {
    return identityShape.parse(JSON.parse(text));
  } catch (cause) {
    throw new AgentError('INVALID_INPUT', `${file} is damaged; put it back from a backup or enrol again`, { cause });
  }
}

export async function writeIdentity(folder: string, identity: Identity): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFileDurably(join(folder, 'identity.json'), `${JSON.stringify(identityShape.parse(identity), null, 2)}\n`, 0o600);
}
