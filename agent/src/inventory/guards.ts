import type { RestoreGuards } from '@diskfleet/engine';
import type { Platform } from '../platform/types.ts';

/** Asks the platform, at the last moment, whether a target may be written. */
export function platformGuards(platform: Platform): RestoreGuards {
  return {
    async whyForbidden(path) {
      const { isSystemDisk, busyReason } = await (await platform.look()).useOf(path);
      if (isSystemDisk)
        return { code: 'TARGET_IS_SYSTEM_DISK', text: `${path}: ${busyReason ?? 'the running system lives on it'}` };
      return busyReason === null ? null : { code: 'TARGET_IN_USE', text: `${path} is ${busyReason}` };
    },
  };
}
