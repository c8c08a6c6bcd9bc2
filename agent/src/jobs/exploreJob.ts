import { explore } from '@diskfleet/engine';
import type { JobResult, JobSpecOf } from '@diskfleet/protocol';
import { type JobContext, withJobVault } from './jobContext.ts';

const MAX_ENTRIES = 10_000;
/** The outcome must fit into one message of the socket. */
const MAX_NAME_CHARS = 400_000;

export async function exploreJob(context: JobContext, spec: JobSpecOf<'explore'>): Promise<JobResult> {
  return withJobVault(context, spec.vault, async (vault) => {
    const disk = await (await vault.openPoint(spec.pointId)).openDisk(spec.diskIndex);
    try {
      const entries: Extract<JobResult, { kind: 'explore' }>['entries'] = [];
      let chars = 0;
      for await (const { name, type, sizeBytes, modifiedAtMs } of (await explore(disk)).list(spec.path)) {
        context.op.signal.throwIfAborted();
        chars += name.length + 100;
        if (entries.length >= MAX_ENTRIES || chars > MAX_NAME_CHARS) return { kind: 'explore', entries, truncated: true };
        entries.push({ name: name.slice(0, 512), type, sizeBytes, modifiedAt: isoOrNull(modifiedAtMs) });
      }
      return { kind: 'explore', entries, truncated: false };
    } finally {
      await disk.close();
    }
  });
}

/** A hostile filesystem can hold any number as a time; only those a calendar knows are passed on. */
function isoOrNull(ms: number | null): string | null {
  const valid = ms !== null && Number.isFinite(ms) && ms >= -62135596800000 && ms <= 253402300799999;
  return valid ? new Date(ms).toISOString() : null;
}
