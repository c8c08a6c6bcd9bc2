import type { Metadata } from 'next';
import { PendingPage } from '@/features/machines/PendingPage';
import { PageGate } from '@/ui/PageGate';

export const metadata: Metadata = { title: 'Waiting room' };

export default function Page() {
  return (
    <PageGate>
      <PendingPage />
    </PageGate>
  );
}
