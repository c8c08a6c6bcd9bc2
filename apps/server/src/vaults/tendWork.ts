/** What a run over a vault does: deletes points by its rule, then sweeps what nothing needs. Knows no database; runs in a thread of its own. */
import type { PrunePreview, PruneRule } from '@diskfleet/protocol';
import { type GcReport, openVault, planPrune, type StoreConfig, type Vault, VaultError, type VaultKeys } from '@diskfleet/vault';

export interface TendOrder {
  readonly store: StoreConfig;
  readonly keys: VaultKeys;
  readonly rule: PruneRule | null;
  /** Ids of points that stay whatever the rule says, and of those that were found sound. */
  readonly pinned: readonly string[];
  readonly verified: readonly string[];
  /** `look`: only say what the rule would do. */
  readonly mode: 'look' | 'tend';
}

export interface TendResult {
  readonly verdicts: readonly PrunePreview[];
  readonly removed: number;
  /** Points the rule lets go and the vault keeps for now. */
  readonly kept: number;
  readonly gc: GcReport | null;
  /** Ids of all points that are there, and of those that are going, until when. */
  readonly present: readonly string[];
  readonly going: readonly (readonly [id: string, goesAtMs: number])[];
}

const keptCodes: ReadonlySet<string> = new Set(['VAULT_RETAINED', 'VAULT_OBJECT_LOCKED']);

/** @throws VaultError */
export async function tendWork(order: TendOrder): Promise<TendResult> {
  const vault = await openVault(order.store, { kind: 'keys', keys: order.keys });
  try {
    const verdicts = order.rule === null ? [] : await judge(vault, order, order.rule);
    let removed = 0;
    let kept = 0;
    let gc: GcReport | null = null;
    if (order.mode === 'tend') {
      for (const { id, action } of verdicts) {
        if (action !== 'delete') continue;
        if (await remove(vault, id)) removed += 1;
        else kept += 1;
      }
      gc = await vault.collectGarbage();
    }
    const present = [...(await vault.pointTimes()).keys()];
    return { verdicts, removed, kept, gc, present, going: [...(await vault.goingPoints())] };
  } finally {
    await vault.close();
  }
}

async function judge(vault: Vault, { pinned, verified }: TendOrder, rule: PruneRule): Promise<PrunePreview[]> {
  // Only times of the vault count: without one, nothing is old.
  const nowMs = (await vault.storeTimeMs()) ?? 0;
  const { points } = await vault.listPoints();
  const [pins, sound] = [new Set(pinned), new Set(verified)];
  const verdicts = planPrune(rule.scheme, {
    points,
    times: await vault.pointTimes(),
    going: await vault.goingPoints(),
    nowMs,
    pinned: (id) => pins.has(id),
    verified: (id) => sound.has(id),
    floor: rule.floor,
    keepFirstFull: rule.keepFirstFull,
  });
  return verdicts.map(({ id, action, why }) => ({ id, action, why }));
}

/** False when the vault keeps the point for now. */
async function remove(vault: Vault, id: string): Promise<boolean> {
  try {
    await vault.removePoint(id);
    return true;
  } catch (error) {
    if (error instanceof VaultError && keptCodes.has(error.code)) return false;
    throw error;
  }
}
