/**
 * Holds all writable volumes of a disk still for a moment. Between the first freeze and the last thaw this process writes to no
 * file, and a watchdog in a process of its own lets the volumes go if this one dies or takes too long.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { AgentError } from '../../../errors.ts';
import { canFreeze } from './chooseLiveMethod.ts';
import { EBUSY, EINVAL, EOPNOTSUPP, type LiveLibc } from './libc.ts';
import { startThawGuard, type ThawGuard } from './startThawGuard.ts';
import { mountIdOfFd, type Volume } from './volumes.ts';

export interface HeldVolumes {
  readonly guardPid: number;
  /** False when one of them had been let go before. Never rejects. */
  thaw(): Promise<boolean>;
  /** After `thaw`: from before the first was frozen to after the last was let go. */
  heldSeconds(): number;
}

export interface FreezeOptions {
  readonly libc: LiveLibc;
  readonly deadlineMs?: number;
}

interface Open {
  readonly volume: Volume;
  readonly mountPoint: string;
  readonly fd: number;
}

/** @throws AgentError `FREEZE_FAILED`; then nothing is held any more */
export async function freezeVolumes(volumes: readonly Volume[], options: FreezeOptions): Promise<HeldVolumes> {
  const opened: Open[] = [];
  try {
    for (const volume of volumes) opened.push(openVolume(volume));
    const freezable = opened.filter(({ volume }) => canFreeze(volume.fsType));
    const guard = await startThawGuard(
      freezable.map(({ fd }) => fd),
      options.deadlineMs,
    );
    // Most of what writers hold back goes out before anyone has to wait for it.
    for (const { fd } of opened) await options.libc.syncFilesystem(fd);
    return await freezeAll({ opened, freezable, guard }, options.libc);
  } catch (error) {
    closeAll(opened);
    throw error;
  }
}

/** A mount may be hidden under another: the one that can be reached is taken. */
function openVolume(volume: Volume): Open {
  for (const { id, mountPoint } of volume.mounts) {
    let fd: number;
    try {
      fd = openSync(mountPoint, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch {
      continue;
    }
    if (mountIdOfFd(fd) === id) return { volume, mountPoint, fd };
    closeSync(fd);
  }
  const where = volume.mounts.map(({ mountPoint }) => mountPoint).join(', ');
  throw new AgentError('FREEZE_FAILED', `the volume mounted at ${where} cannot be reached`, { retry: 'later' });
}

interface Freezing {
  readonly opened: readonly Open[];
  readonly freezable: readonly Open[];
  readonly guard: ThawGuard;
}

async function freezeAll({ opened, freezable, guard }: Freezing, libc: LiveLibc): Promise<HeldVolumes> {
  const frozen: Open[] = [];
  const startedAt = performance.now();
  let endedAt = startedAt;
  const thaw = async () => {
    const results: number[] = [];
    for (const { fd } of frozen.toReversed()) results.push(libc.thaw(fd));
    endedAt = performance.now();
    // "Not frozen" is what the watchdog leaves behind when it was faster.
    await guard.end(results.every((errno) => errno === 0 || errno === EINVAL));
    return results.every((errno) => errno === 0);
  };
  try {
    for (const [index, one] of freezable.entries()) {
      await guard.willFreeze(index);
      const errno = await libc.freeze(one.fd);
      if (errno !== 0) {
        await guard.didNotFreeze(index);
        throw whyNot(one, errno);
      }
      frozen.push(one);
    }
    for (const { volume, fd } of opened) if (!canFreeze(volume.fsType)) await writeOut(volume, fd, libc);
  } catch (error) {
    await thaw();
    throw error;
  }
  return {
    guardPid: guard.pid,
    async thaw() {
      const allHeld = await thaw();
      closeAll(opened);
      return allHeld;
    },
    heldSeconds: () => (endedAt - startedAt) / 1000,
  };
}

/** A filesystem in user space writes to its device as to a file: that is written out too. */
async function writeOut({ device }: Volume, fd: number, libc: LiveLibc): Promise<void> {
  await libc.syncFilesystem(fd);
  const handle = await open(`/dev/${device}`, 'r');
  await handle.sync().finally(() => handle.close());
}

function whyNot({ mountPoint, volume: { fsType } }: Open, errno: number): AgentError {
  const why =
    errno === EBUSY
      ? 'somebody else holds it still already'
      : errno === EOPNOTSUPP
        ? `${fsType} has no way to`
        : `the system says error ${errno}`;
  const retry = errno === EOPNOTSUPP ? 'never' : 'later';
  return new AgentError('FREEZE_FAILED', `${mountPoint} could not be held still: ${why}`, { retry });
}

function closeAll(opened: readonly Open[]): void {
  for (const { fd } of opened) closeSync(fd);
}
