import { AgentError } from '../errors.ts';
import type { Platform } from './types.ts';

/** Windows: not supported in this version. Everything asked of it is refused with a code instead of a guess. */
export function windowsPlatform(): Platform {
  const refuse = async () => {
    throw new AgentError('PLATFORM_UNSUPPORTED', 'disks of Windows cannot be read by this version');
  };
  return { name: 'windows', machine: refuse, look: refuse };
}
