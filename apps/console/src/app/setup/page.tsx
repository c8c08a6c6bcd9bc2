import type { Metadata } from 'next';
import { SetupPage } from '@/features/setup/SetupPage';

export const metadata: Metadata = { title: 'Set-up' };

/** The start script knows a folder that exists and may be written; elsewhere the usual place is suggested. */
export default function Page() {
  return <SetupPage folder={process.env.DISKFLEET_SUGGESTED_VAULT_FOLDER ?? '/var/lib/diskfleet/vaults/main'} />;
}
