import type { Metadata } from 'next';
import { PointsPage } from '@/features/points/PointsPage';
import { PageGate } from '@/ui/PageGate';

export const metadata: Metadata = { title: 'Restore points' };

export default function Page() {
  return (
    <PageGate>
      <PointsPage />
    </PageGate>
  );
}
