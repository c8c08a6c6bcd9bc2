import type { Metadata } from 'next';
import { OverviewPage } from '@/features/overview/OverviewPage';
import { PageGate } from '@/ui/PageGate';

export const metadata: Metadata = { title: 'Overview' };

export default function Page() {
  return (
    <PageGate>
      <OverviewPage />
    </PageGate>
  );
}
