import type { Metadata } from 'next';
import { PointsPage } from '@/features/points/PointsPage';

export const metadata: Metadata = { title: 'Restore points' };

export default function Page() {
  return <PointsPage />;
}
