'use client';
import { Info } from 'lucide-react';
import { useSearchParams } from 'next/navigation';
import { signIn } from 'next-auth/react';
import { type FormEvent, useState } from 'react';
import { safeNextPath } from '@/auth/requestRules';
import { failureByCode, type ShownFailure } from '@/trpc/failure';
import { Button } from '@/ui/Button';
import { Note } from '@/ui/Feedback';
import { Field, Input } from '@/ui/Field';
import { FailurePanel } from '../errors/FailurePanel';

/** Resolves to null when signed in, else to why not. */
export async function signInWith(email: string, password: string): Promise<ShownFailure | null> {
  try {
    const answer = await signIn('credentials', { email, password, redirect: false });
    if (answer?.ok && !answer.error) return null;
    const code = answer?.error ?? 'INTERNAL';
    return failureByCode(code === 'CredentialsSignin' ? 'SIGN_IN_FAILED' : code);
  } catch {
    return failureByCode('SERVER_UNREACHABLE');
  }
}

export function SignInForm() {
  const search = useSearchParams();
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<ShownFailure | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    const refused = await signInWith(email.trim(), password);
    if (!refused) return window.location.assign(safeNextPath(search.get('next')));
    setFailure(refused);
    setBusy(false);
  };
  return (
    <form onSubmit={(event) => void submit(event)} className="grid gap-4">
      {search.get('ended') && !failure && <Note icon={Info}>Your session has ended. Sign in again to go on where you were.</Note>}
      <Field label="E-mail">
        {(attributes) => (
          <Input
            {...attributes}
            type="email"
            autoComplete="username"
            required
            className="h-11"
            value={email}
            onChange={(event) => setEmail(event.currentTarget.value)}
          />
        )}
      </Field>
      <Field label="Password">
        {(attributes) => (
          <Input
            {...attributes}
            type="password"
            autoComplete="current-password"
            required
            className="h-11"
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
        )}
      </Field>
      {failure && <FailurePanel failure={failure} />}
      <Button type="submit" look="primary" size="lg" busy={busy} className="mt-1">
        Sign in
      </Button>
    </form>
  );
}
