/** The agent of a fleet backs up a disk in use: as one moment, and the next time only what was written since. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { turnsOf } from '../../apps/console/src/features/jobs/turnsOf.ts';
import { type Fleet, startFleet } from '../fleet/fleet.ts';
import { canLoop } from '../images/tools.ts';
import { type Lab, MIB, makeLab, noise } from './lab.ts';

describe.skipIf(!canLoop && !process.env.CI)(
  'a disk in use, backed up by the fleet (needs root, tracing and loop devices)',
  () => {
    let folder: string;
    let fleet: Fleet;
    let lab: Lab;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'diskfleet-live-fleet-'));
      fleet = await startFleet();
      lab = await makeLab('ext4');
    });
    afterAll(async () => {
      await fleet?.stop();
      await lab?.close();
      await rm(folder, { recursive: true, force: true });
    });

    test('the first reads all of it, the second what was written since; both held it still', async () => {
      const vaultId = await fleet.createVault();
      const member = await fleet.addMember('elsa', [], { DISKFLEET_PLATFORM: 'real' });
      const { key } = await lab.disk();
      const backup = async (method: 'full' | 'incremental') => {
        const made = await fleet.api.jobs.backupNow.mutate({ machineId: member.id, diskKeys: [key], vaultId, method });
        const done = await fleet.waitJob(made.id);
        expect(done.failure).toBeNull();
        if (done.result?.kind !== 'backup') throw new Error('this is no backup');
        // The console reads these lines by their words: a text that changes must change there too.
        return { turns: turnsOf(done.log).map(({ kind }) => kind), ...done.result };
      };
      const first = await backup('full');
      await writeFile(join(lab.mount, 'new'), noise(4 * MIB), { flush: true });
      const second = await backup('incremental');
      expect(first.readBytes).toBeGreaterThan(70 * MIB);
      expect(first.turns).toContain('held');
      expect(second.turns).toEqual(expect.arrayContaining(['parent', 'counted', 'held']));
      expect(second.readBytes).toBeLessThan(first.readBytes / 2);
      expect(second.newBytes).toBeGreaterThanOrEqual(4 * MIB);
      expect([first.warnings, second.warnings]).toEqual([[], []]);
      await member.agent.stop();
    });
  },
);
