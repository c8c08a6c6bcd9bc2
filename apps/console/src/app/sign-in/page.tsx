import type { Metadata } from 'next';
import { Suspense } from 'react';
import { EntryFrame } from '@/features/signIn/EntryFrame';
import { SignInForm } from '@/features/signIn/SignInForm';

export const metadata: Metadata = { title: 'Sign in' };

export default function Page() {
  return (
    <EntryFrame title="Sign in" note="To the console of your fleet">
      <Suspense>
        <SignInForm />
      </Suspense>
    </EntryFrame>
  );
}
