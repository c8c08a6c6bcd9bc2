import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { AgentError, codeOf } from '../errors.ts';

/**
 * One agent per folder: two would spoil each other's journal. Held as an abstract Unix socket, which the kernel frees however the
 * process ends, so no stale lock file can keep an agent down. Nothing is ever read from it.
 * @param realFolder the folder's real path
 * @throws AgentError `AGENT_BUSY`
 */
export async function holdFolder(realFolder: string): Promise<() => void> {
  const name = createHash('sha256').update(`diskfleet-agent\0${realFolder}`).digest('hex').slice(0, 32);
  const server = createServer((connection) => connection.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path: `\0diskfleet-${name}` }, resolve);
  }).catch((error: unknown) => {
    if (codeOf(error) === 'EADDRINUSE') throw new AgentError('AGENT_BUSY', `an agent is running on ${realFolder} already`);
    throw error;
  });
  server.unref();
  return () => server.close();
}
