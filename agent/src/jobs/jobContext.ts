/** What every kind of job gets to work with. */
import type { Operation } from '@diskfleet/engine';
import type { VaultGrant } from '@diskfleet/protocol';
import type { Vault } from '@diskfleet/vault';
import type { Identity } from '../agent/identity.ts';
import type { Journal } from '../agent/journal.ts';
import type { Settings } from '../inventory/settings.ts';
import type { Platform } from '../platform/types.ts';

export interface JobContext {
  readonly jobId: string;
  readonly identity: Identity;
  /** The name the fleet knows this machine by. */
  readonly machineName: string;
  readonly platform: Platform;
  readonly settings: Settings;
  /** The agent's own folder: what it remembers of its last points lies there. */
  readonly agentFolder: string;
  readonly journal: Journal;
  /** The server's clock as far as known: expiries are its, and a PC's own clock may be wrong. */
  readonly serverNow: () => Date;
  readonly openVault: (grant: VaultGrant) => Promise<Vault>;
  readonly op: Operation & { readonly signal: AbortSignal };
}

/** Opens the job's vault and closes it whatever happens. */
export async function withJobVault<T>(context: JobContext, grant: VaultGrant, work: (vault: Vault) => Promise<T>): Promise<T> {
  const vault = await context.openVault(grant);
  try {
    return await work(vault);
  } finally {
    await vault.close();
  }
}

/** One line of the run log, for the admin who reads the job later. */
export function say(context: JobContext, text: string): void {
  context.op.onLog?.({ level: 'info', text });
}
