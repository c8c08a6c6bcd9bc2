import type { Metadata } from 'next';
import { StoragePage } from '@/features/vaults/StoragePage';
import { PageGate } from '@/ui/PageGate';

export const metadata: Metadata = { title: 'Storage' };

export default function Page() {
  return (
    <PageGate>
      <StoragePage />
    </PageGate>
  );
}
