import type { Metadata } from 'next';
import { SettingsPage } from '@/features/settings/SettingsPage';
import { PageGate } from '@/ui/PageGate';

export const metadata: Metadata = { title: 'Settings' };

export default function Page() {
  return (
    <PageGate>
      <SettingsPage />
    </PageGate>
  );
}
