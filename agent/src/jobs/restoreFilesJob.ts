import { explore } from '@diskfleet/engine';
import type { JobResult, JobSpecOf } from '@diskfleet/protocol';
import { AgentError } from '../errors.ts';
import { restoreFiles } from '../files/restoreFiles.ts';
import { formatBytes, formatSeconds } from '../words.ts';
import { type JobContext, say, withJobVault } from './jobContext.ts';
import { whyClosed } from './systemFolders.ts';

/** Sparse files may be larger than their disk, but not without bound. */
const SPARSE_FACTOR = 16;

export async function restoreFilesJob(context: JobContext, spec: JobSpecOf<'restoreFiles'>): Promise<JobResult> {
  const closed = context.settings.allowRestoreToSystemFolders ? null : whyClosed(spec.destination);
  if (closed !== null) {
    const text = `${spec.destination}: ${closed}. Set allowRestoreToSystemFolders in the agent's settings on this PC to open it`;
    throw new AgentError('DESTINATION_UNSAFE', text);
  }
  return withJobVault(context, spec.vault, async (vault) => {
    const disk = await (await vault.openPoint(spec.pointId)).openDisk(spec.diskIndex);
    try {
      const explorer = await explore(disk);
      const { paths, destination, overwrite } = spec;
      const maxTotalBytes = disk.sizeBytes * SPARSE_FACTOR + (1 << 30);
      const request = { explorer, paths, destination, name: null, overwrite, symlinks: 'inside' as const, maxTotalBytes };
      const { files, writtenBytes, skipped, seconds, warnings } = await restoreFiles(request, context.op);
      for (const text of warnings) context.op.onLog?.({ level: 'warning', text });
      say(
        context,
        `Put ${files} files (${formatBytes(writtenBytes)}) into ${destination}, left out ${skipped}, in ${formatSeconds(seconds)}.`,
      );
      return { kind: 'restoreFiles', files, writtenBytes, skipped, seconds, warnings: warnings.slice(0, 200) };
    } finally {
      await disk.close();
    }
  });
}
