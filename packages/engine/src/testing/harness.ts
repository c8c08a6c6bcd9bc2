/** A vault and shorthand for the verbs, for tests. */
import { closeSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Extent } from '@diskfleet/disk';
import { createVault, type Vault } from '@diskfleet/vault';
import { backup } from '../backup/backup.ts';
import { planRestore } from '../restore/planRestore.ts';
import { restore } from '../restore/restore.ts';
import type { BackupRequest, BackupResult, Operation, RestorePlan, RestoreResult, RunLogLine } from '../types.ts';

export class Harness {
  readonly folder = mkdtempSync(join(tmpdir(), 'diskfleet-engine-'));
  readonly log: RunLogLine[] = [];
  vault: Vault | null = null;
  #seconds = 0;

  path(name: string): string {
    return join(this.folder, name);
  }

  async openVault(): Promise<Vault> {
    this.vault ??= await createVault({ kind: 'directory', path: this.path('vault') }, { encryption: { kind: 'none' } });
    return this.vault;
  }

  operation(over: Partial<Operation> = {}): Operation {
    // One second per look at the clock: points of one test never share a time.
    const now = () => new Date(1_700_000_000_000 + this.#seconds++ * 1000);
    return { now, onLog: (line) => this.log.push(line), workers: 2, ...over };
  }

  async backup(disks: readonly string[], over: Partial<BackupRequest> = {}, op: Partial<Operation> = {}): Promise<BackupResult> {
    return backup(await this.openVault(), this.request(disks, over), this.operation(op));
  }

  request(disks: readonly string[], over: Partial<BackupRequest> = {}): BackupRequest {
    return {
      kind: 'disk',
      method: 'full',
      disks: disks.map((name) => ({ path: this.path(name), name, model: 'file', serial: '' })),
      machineId: 'machine-1',
      machineName: 'pc',
      source: 'disk',
      sectorBySector: false,
      compression: 'balanced',
      ...over,
    };
  }

  async plan(pointId: string, to: string, diskIndex = 0): Promise<RestorePlan> {
    const target = { path: this.path(to), name: to, serial: '' };
    return planRestore(await this.openVault(), { pointId, diskIndex, target });
  }

  async restore(pointId: string, to: string, op: Partial<Operation> = {}): Promise<RestoreResult> {
    const plan = await this.plan(pointId, to);
    return this.carryOut(plan, op);
  }

  async carryOut(plan: RestorePlan, op: Partial<Operation> = {}, compare: 'sample' | 'all' = 'all'): Promise<RestoreResult> {
    const guards = { whyForbidden: async () => null };
    const confirmed = { plan, confirmedHash: plan.planHash, compare, guards };
    return restore(await this.openVault(), confirmed, this.operation(op));
  }

  async close(): Promise<void> {
    await this.vault?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** First byte inside `extents` where the two files differ, or null. */
export function firstDifference(left: string, right: string, extents: readonly Extent[]): number | null {
  const files = [openSync(left, 'r'), openSync(right, 'r')] as const;
  try {
    for (const { offsetBytes, lengthBytes } of extents) {
      for (let at = 0; at < lengthBytes; at += 1 << 20) {
        const length = Math.min(1 << 20, lengthBytes - at);
        const [one, other] = files.map((file) => {
          const bytes = Buffer.alloc(length);
          const count = readSync(file, bytes, 0, length, offsetBytes + at);
          return bytes.subarray(0, count);
        });
        if (one === undefined || other === undefined) return offsetBytes + at;
        if (!one.equals(other)) return offsetBytes + at + one.findIndex((byte, index) => byte !== other[index]);
      }
    }
    return null;
  } finally {
    for (const file of files) closeSync(file);
  }
}
