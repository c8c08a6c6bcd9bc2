import type { Metadata } from 'next';
import { RestoreWizard } from '@/features/restore/RestoreWizard';
import { PageGate } from '@/ui/PageGate';

export const metadata: Metadata = { title: 'Restore a disk' };

export default function Page() {
  return (
    <PageGate>
      <RestoreWizard />
    </PageGate>
  );
}
