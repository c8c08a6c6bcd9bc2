import type { Metadata } from 'next';
import { RestoreWizard } from '@/features/restore/RestoreWizard';

export const metadata: Metadata = { title: 'Restore a disk' };

export default function Page() {
  return <RestoreWizard />;
}
