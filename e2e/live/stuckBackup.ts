/** A backup that stops for ever while volumes are held, for a test to kill: `node stuckBackup.ts DEVICE VAULT`. */
import { backup } from '@diskfleet/engine';
import { openVault } from '@diskfleet/vault';
import { linuxPlatform } from '../../agent/src/platform/linux/linuxPlatform.ts';

const [, , device = '', path = ''] = process.argv;
const platform = linuxPlatform();
const disk = (await platform.look()).disks.find((one) => one.path === device);
if (disk === undefined) throw new Error(`${device} is not listed`);
// An hour: only the end of this process lets the volumes go.
const opened = await platform.live?.open(disk, { writesTo: [path], keepFollowing: false, holdAtMostMs: 3_600_000 });
if (opened?.kind !== 'live') throw new Error(`not live: ${JSON.stringify(opened)}`);
let held = false;
const live = {
  ...opened.source,
  async freeze() {
    const frozen = await opened.source.freeze();
    held = true;
    return {
      thaw() {
        held = false;
        return frozen.thaw();
      },
    };
  },
  async takeChanges() {
    if (!held) return opened.source.takeChanges();
    process.stdout.write('held\n');
    // Not even its event loop turns any more.
    for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },
};
const { name, model, serial } = disk;
const vault = await openVault({ kind: 'directory', path }, { kind: 'none' });
await backup(
  vault,
  {
    ...{ kind: 'disk', method: 'full', compression: 'fast', sectorBySector: false },
    ...{ machineId: 'live', machineName: 'live', source: 'live' },
    disks: [{ path: device, name, model, serial, live }],
  },
  { now: () => new Date(), workers: 2 },
);
