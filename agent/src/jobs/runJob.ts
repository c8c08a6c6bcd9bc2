import type { JobResult, JobSpec } from '@diskfleet/protocol';
import { backupJob } from './backupJob.ts';
import { exploreJob } from './exploreJob.ts';
import type { JobContext } from './jobContext.ts';
import { restoreFilesJob } from './restoreFilesJob.ts';
import { restoreJob } from './restoreJob.ts';
import { verifyJob } from './verifyJob.ts';

/** Does one job. What it throws becomes the job's failure. */
export function runJob(context: JobContext, spec: JobSpec): Promise<JobResult> {
  switch (spec.kind) {
    case 'backup':
      return backupJob(context, spec);
    case 'restore':
      return restoreJob(context, spec);
    case 'restoreFiles':
      return restoreFilesJob(context, spec);
    case 'explore':
      return exploreJob(context, spec);
    case 'verify':
      return verifyJob(context, spec);
  }
}
