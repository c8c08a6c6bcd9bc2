import { backupDiskCommand, backupPartitionCommand, backupSystemCommand } from './backup.ts';
import type { Command } from './command.ts';
import { disksCommand } from './disks.ts';
import { enrolCommand } from './enrol.ts';
import { exploreCommand } from './explore.ts';
import { inspectCommand } from './inspect.ts';
import { pointsCommand } from './points.ts';
import { restoreCommand } from './restore.ts';
import { runCommand } from './run.ts';
import { vaultCreateCommand, vaultInfoCommand } from './vault.ts';
import { verifyCommand } from './verify.ts';

/** In the order help shows them. */
export const commands: readonly Command[] = [
  disksCommand,
  inspectCommand,
  vaultCreateCommand,
  vaultInfoCommand,
  verifyCommand,
  backupSystemCommand,
  backupDiskCommand,
  backupPartitionCommand,
  pointsCommand,
  exploreCommand,
  restoreCommand,
  enrolCommand,
  runCommand,
];
