import type { Metadata } from 'next';
import { MachinesPage } from '@/features/machines/MachinesPage';
import { PageGate } from '@/ui/PageGate';

export const metadata: Metadata = { title: 'Machines' };

export default function Page() {
  return (
    <PageGate>
      <MachinesPage />
    </PageGate>
  );
}
