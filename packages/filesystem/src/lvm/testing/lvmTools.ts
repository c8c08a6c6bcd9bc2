/**
 * Volume groups made by LVM's own tools on loop devices, with no device-mapper: nothing is activated, only metadata is written.
 * The tools see the devices they are given and nothing else of this machine, and keep their locks and copies in the scratch folder.
 */
import { mkdir } from 'node:fs/promises';
import { runTool, type Scratch } from '../../testing/scratch.ts';

export const LVM_NEEDS = { tools: ['pvcreate', 'vgcreate', 'lvcreate', 'vgcfgrestore', 'losetup'], root: true };

export interface LvmTools {
  /** Runs one of LVM's tools; returns what it printed. */
  run(tool: string, ...args: string[]): Promise<string>;
  /** `lvcreate` for a group; the volume is not activated, and nothing is written into it. */
  create(...args: string[]): Promise<void>;
  /** A report without headings: one line a row, fields by `|`, sizes in bytes. */
  report(tool: 'pvs' | 'lvs' | 'vgs', fields: string, ...args: string[]): Promise<string[][]>;
}

export async function lvmTools(scratch: Scratch, devices: readonly string[]): Promise<LvmTools> {
  const locks = scratch.path('lvm-locks');
  await mkdir(locks, { recursive: true });
  const accept = devices.map((device) => `"a|^${device}$|"`).join(', ');
  const config = [
    `devices { use_devicesfile=0 dir="/dev" scan=["/dev"] filter=[${accept}, "r|.*|"] obtain_device_list_from_udev=0`,
    'external_device_info_source="none" md_component_detection=0 multipath_component_detection=0 }',
    `global { use_lvmpolld=0 locking_dir="${locks}" event_activation=0 } backup { backup=0 archive=0 }`,
    'activation { udev_sync=0 udev_rules=0 verify_udev_operations=0 monitoring=0 }',
  ].join(' ');
  const run = (tool: string, ...args: string[]) => runTool(tool, [...args, '--config', config, '--driverloaded', 'n']);
  return {
    run,
    create: async (...args) => {
      await run('lvcreate', '-y', '-an', '-Zn', '-Wn', ...args);
    },
    report: async (tool, fields, ...args) => {
      const printed = await run(tool, '--noheadings', '--separator', '|', '--units', 'b', '--nosuffix', '-o', fields, ...args);
      const rows = printed.split('\n').filter((line) => line.trim() !== '');
      return rows.map((line) => line.split('|').map((field) => field.trim()));
    },
  };
}
