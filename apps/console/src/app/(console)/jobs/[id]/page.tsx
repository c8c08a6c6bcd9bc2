import type { Metadata } from 'next';
import { JobPage } from '@/features/jobs/JobPage';
import { PageGate } from '@/ui/PageGate';

export const metadata: Metadata = { title: 'Job' };

export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params;
  return (
    <PageGate>
      <JobPage key={id} id={decodeURIComponent(id)} />
    </PageGate>
  );
}
