import { AgentError } from '../errors.ts';
import { fakePlatform } from './fake.ts';
import { linuxPlatform } from './linux/linuxPlatform.ts';
import type { Platform } from './types.ts';
import { windowsPlatform } from './windows.ts';

/**
 * The platform of this process. `DISKFLEET_PLATFORM=fake` with `DISKFLEET_FAKE_MACHINE=<json file>` makes a PC out of files,
 * so that a whole fleet can run on one machine.
 * @throws AgentError `PLATFORM_UNSUPPORTED`, `INVALID_INPUT`
 */
export function choosePlatform(env: NodeJS.ProcessEnv): Platform {
  if (env.DISKFLEET_PLATFORM === 'fake') {
    const file = env.DISKFLEET_FAKE_MACHINE;
    if (!file) throw new AgentError('INVALID_INPUT', 'DISKFLEET_PLATFORM=fake needs DISKFLEET_FAKE_MACHINE=<json file>');
    return fakePlatform(file);
  }
  if (process.platform === 'linux') return linuxPlatform();
  if (process.platform === 'win32') return windowsPlatform();
  throw new AgentError('PLATFORM_UNSUPPORTED', `disks of ${process.platform} cannot be read by this version`);
}
