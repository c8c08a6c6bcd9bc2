import type { Metadata } from 'next';
import { PointPage } from '@/features/points/PointPage';
import { PageGate } from '@/ui/PageGate';

export const metadata: Metadata = { title: 'Restore point' };

export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params;
  return (
    <PageGate>
      <PointPage key={id} id={decodeURIComponent(id)} />
    </PageGate>
  );
}
