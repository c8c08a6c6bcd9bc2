import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exportPoint, openVault } from '@diskfleet/vault';
import { createPortableFile } from '@diskfleet/vault/testing/parsers';
import type { SeedSource } from '../makeSeeds.ts';

const golden = fileURLToPath(new URL('../../packages/vault/src/testing/golden/v1/plain', import.meta.url));

/** One point of the golden vault, exported as people do. */
function exported(which: number): SeedSource {
  return {
    name: `point-${which}`,
    async make(scratch) {
      const vault = await openVault({ kind: 'directory', path: golden }, { kind: 'none' });
      const pointId = (await vault.listPoints()).points[which]?.id ?? '';
      const path = scratch.path('sent.adi');
      await exportPoint(vault, { pointId, path, partBytes: null, passphrase: null, now: () => new Date('2026-11-22T12:00:00Z') });
      await vault.close();
      return path;
    },
  };
}

/** More than an export ever holds: a vault with both points and what they share. */
const whole: SeedSource = {
  name: 'whole',
  async make(scratch) {
    const path = scratch.path('sent.adi');
    const file = await createPortableFile(path, null);
    const entries = readdirSync(golden, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    for (const entry of entries) {
      const source = join(entry.parentPath, entry.name);
      await file.store.put(relative(golden, source), readFileSync(source));
    }
    await file.finish();
    return path;
  },
};

export const seeds: readonly SeedSource[] = [exported(0), exported(1), whole];
