'use client';
import { Check, Info, OctagonAlert, X } from 'lucide-react';
import { Toast as Radix } from 'radix-ui';
import { useSyncExternalStore } from 'react';
import { Button } from './Button';
import { cn } from './cn';
import { useHydrated } from './Time';

/** Written over Radix: it sets no inline style sheet, which the content security policy would refuse. */
interface ToastItem {
  readonly id: number;
  readonly tone: 'ok' | 'bad' | 'info';
  readonly title: string;
  readonly note?: string;
}

const none: readonly ToastItem[] = [];
let items: readonly ToastItem[] = none;
let nextId = 1;
const listeners = new Set<() => void>();

function change(next: readonly ToastItem[]) {
  items = next;
  for (const listener of listeners) listener();
}

export function toast(item: Omit<ToastItem, 'id'>) {
  change([...items.slice(-3), { ...item, id: nextId++ }]);
}

const icons = { ok: Check, bad: OctagonAlert, info: Info } as const;
const tones = { ok: 'text-ok', bad: 'text-bad', info: 'text-accent-text' } as const;

export function Toasts() {
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => items,
    () => none,
  );
  // Not on the server: its style attributes would be refused by the content security policy.
  if (!useHydrated()) return null;
  return (
    <Radix.Provider duration={6000} label="Notification">
      {shown.map((item) => {
        const Icon = icons[item.tone];
        return (
          <Radix.Root
            key={item.id}
            type={item.tone === 'bad' ? 'foreground' : 'background'}
            onOpenChange={(open) => {
              if (!open) change(items.filter((other) => other.id !== item.id));
            }}
            className="flex animate-rise items-start gap-3 rounded-xl border border-line bg-raised p-4 shadow-high"
          >
            <Icon className={cn('mt-0.5 size-[18px] shrink-0', tones[item.tone])} aria-hidden />
            <div className="min-w-0 flex-1">
              <Radix.Title className="font-medium text-ink">{item.title}</Radix.Title>
              {item.note !== undefined && <Radix.Description className="text-ink-2">{item.note}</Radix.Description>}
            </div>
            <Radix.Close asChild>
              <Button look="ghost" size="icon" aria-label="Dismiss" className="-my-1 -mr-2">
                <X />
              </Button>
            </Radix.Close>
          </Radix.Root>
        );
      })}
      <Radix.Viewport className="fixed top-0 right-0 z-60 m-4 grid sm:top-auto sm:bottom-0 w-[min(24rem,calc(100vw-2rem))] gap-2 outline-none" />
    </Radix.Provider>
  );
}
