import type { Metadata } from 'next';
import { ActivityPage } from '@/features/audit/ActivityPage';
import { PageGate } from '@/ui/PageGate';

export const metadata: Metadata = { title: 'Activity' };

export default function Page() {
  return (
    <PageGate>
      <ActivityPage />
    </PageGate>
  );
}
