import type { Metadata } from 'next';
import { PendingPage } from '@/features/machines/PendingPage';

export const metadata: Metadata = { title: 'Waiting room' };

export default function Page() {
  return <PendingPage />;
}
