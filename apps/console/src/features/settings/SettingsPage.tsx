'use client';
import { useQuery } from '@tanstack/react-query';
import { LogOut, Monitor, Moon, Sun } from 'lucide-react';
import { signOut } from 'next-auth/react';
import { useTheme } from 'next-themes';
import { useTRPC } from '@/trpc/client';
import { Button } from '@/ui/Button';
import { Card, CardHead, Fact } from '@/ui/Card';
import { Segmented } from '@/ui/Choice';
import { SkeletonRows } from '@/ui/Feedback';
import { PageHead } from '@/ui/Page';
import { FailurePanel } from '../errors/FailurePanel';

const roleNames = {
  owner: 'Owner',
  admin: 'Admin',
  operator: 'Operator',
  'restore-only': 'Restore only',
  auditor: 'Auditor',
} as const;

export function SettingsPage() {
  const trpc = useTRPC();
  const me = useQuery(trpc.auth.me.queryOptions());
  const { theme, setTheme } = useTheme();
  const chosen = theme === 'light' || theme === 'dark' ? theme : 'system';
  return (
    <>
      <PageHead title="Settings" />
      <div className="grid max-w-3xl gap-6">
        <Card>
          <CardHead
            title="Your account"
            action={
              <Button size="sm" onClick={() => void signOut({ callbackUrl: '/sign-in' })}>
                <LogOut aria-hidden />
                Sign out
              </Button>
            }
          />
          {me.isPending && <SkeletonRows rows={1} />}
          {me.isError && (
            <div className="p-5 pt-0">
              <FailurePanel error={me.error} />
            </div>
          )}
          {me.data && (
            <dl className="grid gap-4 border-line border-t px-5 py-5 sm:grid-cols-3">
              <Fact label="Name">{me.data.name}</Fact>
              <Fact label="E-mail">{me.data.email}</Fact>
              <Fact label="Role">{roleNames[me.data.role]}</Fact>
            </dl>
          )}
        </Card>
        <Card>
          <CardHead title="Appearance" note="Kept in this browser" />
          <div className="border-line border-t px-5 py-5">
            <Segmented
              label="Theme"
              value={chosen}
              onChange={setTheme}
              options={[
                {
                  value: 'light',
                  label: (
                    <>
                      <Sun aria-hidden />
                      Light
                    </>
                  ),
                },
                {
                  value: 'dark',
                  label: (
                    <>
                      <Moon aria-hidden />
                      Dark
                    </>
                  ),
                },
                {
                  value: 'system',
                  label: (
                    <>
                      <Monitor aria-hidden />
                      As the system
                    </>
                  ),
                },
              ]}
            />
          </div>
        </Card>
      </div>
    </>
  );
}
