'use client';
import { useMutation } from '@tanstack/react-query';
import { KeyRound } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { useTRPC } from '@/trpc/client';
import type { ShownFailure } from '@/trpc/failure';
import { Button } from '@/ui/Button';
import { Note } from '@/ui/Feedback';
import { Field, Input } from '@/ui/Field';
import { FailurePanel } from '../errors/FailurePanel';
import { signInWith } from '../signIn/SignInForm';

const leastPassword = 10;

export function OwnerStep({ token, onCreated }: { token: string | null; onCreated: (password: string) => void }) {
  const trpc = useTRPC();
  const [typedToken, setTypedToken] = useState('');
  const [name, setName] = useState('');
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const [failure, setFailure] = useState<ShownFailure | null>(null);
  const create = useMutation(
    trpc.setup.createOwner.mutationOptions({
      onSuccess: async (_, input) => {
        const refused = await signInWith(input.email, input.password);
        if (refused) setFailure(refused);
        else onCreated(input.password);
      },
    }),
  );
  const tooShort = password !== '' && password.length < leastPassword;
  const differs = again !== '' && again !== password;
  const ready = (token ?? typedToken) !== '' && password.length >= leastPassword && again === password;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setFailure(null);
    create.mutate({ token: token ?? typedToken.trim(), name: name.trim(), email: email.trim(), password });
  };
  return (
    <form onSubmit={submit} className="grid gap-5">
      {token === null && (
        <>
          <Note icon={KeyRound} title="This page needs the set-up token">
            `npm start` printed an address that ends in #token=…. Open that one, or paste the token here.
          </Note>
          <Field label="Set-up token">
            {(attributes) => (
              <Input
                {...attributes}
                value={typedToken}
                required
                autoComplete="off"
                className="font-mono"
                onChange={(event) => setTypedToken(event.currentTarget.value)}
              />
            )}
          </Field>
        </>
      )}
      <div className="grid gap-5 sm:grid-cols-2">
        <Field label="Your name">
          {(attributes) => (
            <Input
              {...attributes}
              value={name}
              required
              maxLength={100}
              autoComplete="name"
              onChange={(event) => setName(event.currentTarget.value)}
            />
          )}
        </Field>
        <Field label="E-mail">
          {(attributes) => (
            <Input
              {...attributes}
              type="email"
              value={email}
              required
              autoComplete="username"
              onChange={(event) => setEmail(event.currentTarget.value)}
            />
          )}
        </Field>
        <Field
          label="Password"
          hint={`At least ${leastPassword} characters`}
          error={tooShort ? `${leastPassword - password.length} more characters` : null}
        >
          {(attributes) => (
            <Input
              {...attributes}
              type="password"
              value={password}
              required
              autoComplete="new-password"
              onChange={(event) => setPassword(event.currentTarget.value)}
            />
          )}
        </Field>
        <Field label="Password again" error={differs ? 'The two differ' : null}>
          {(attributes) => (
            <Input
              {...attributes}
              type="password"
              value={again}
              required
              autoComplete="new-password"
              onChange={(event) => setAgain(event.currentTarget.value)}
            />
          )}
        </Field>
      </div>
      {create.isError && <FailurePanel error={create.error} />}
      {failure && <FailurePanel failure={failure} />}
      <div className="flex justify-end">
        <Button type="submit" look="primary" size="lg" busy={create.isPending} disabled={!ready}>
          Create owner account
        </Button>
      </div>
    </form>
  );
}
