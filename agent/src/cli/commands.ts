import { backupDiskCommand, backupPartitionCommand, backupSystemCommand } from './backup.ts';
import type { Command } from './command.ts';
import { copyCommand } from './copyPoint.ts';
import { disksCommand } from './disks.ts';
import { enrolCommand } from './enrol.ts';
import { exploreCommand } from './explore.ts';
import { exportCommand } from './export.ts';
import { gcCommand } from './gc.ts';
import { importCommand } from './import.ts';
import { inspectCommand } from './inspect.ts';
import { pointsCommand } from './points.ts';
import { pruneCommand } from './prune.ts';
import { restoreCommand } from './restore.ts';
import { runCommand } from './run.ts';
import { schemeSimulateCommand } from './schemeSimulate.ts';
import { vaultCreateCommand, vaultInfoCommand } from './vault.ts';
import { vaultRebuildCommand } from './vaultRebuild.ts';
import { verifyCommand } from './verify.ts';

/** In the order help shows them. */
export const commands: readonly Command[] = [
  disksCommand,
  inspectCommand,
  vaultCreateCommand,
  vaultInfoCommand,
  verifyCommand,
  vaultRebuildCommand,
  pruneCommand,
  gcCommand,
  schemeSimulateCommand,
  backupSystemCommand,
  backupDiskCommand,
  backupPartitionCommand,
  pointsCommand,
  exploreCommand,
  restoreCommand,
  exportCommand,
  importCommand,
  copyCommand,
  enrolCommand,
  runCommand,
];
