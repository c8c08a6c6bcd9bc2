import type { Metadata } from 'next';
import { MachinePage } from '@/features/machines/MachinePage';
import { PageGate } from '@/ui/PageGate';

export const metadata: Metadata = { title: 'Machine' };

export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params;
  return (
    <PageGate>
      <MachinePage key={id} id={decodeURIComponent(id)} />
    </PageGate>
  );
}
