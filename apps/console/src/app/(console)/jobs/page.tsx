import type { Metadata } from 'next';
import { JobsPage } from '@/features/jobs/JobsPage';
import { PageGate } from '@/ui/PageGate';

export const metadata: Metadata = { title: 'Jobs' };

export default function Page() {
  return (
    <PageGate>
      <JobsPage />
    </PageGate>
  );
}
