'use client';
import { Tooltip as Radix } from 'radix-ui';
import type { ReactNode } from 'react';

export const TooltipProvider = Radix.Provider;

export function Tooltip({
  text,
  children,
  side = 'top',
}: {
  text: ReactNode;
  children: ReactNode;
  side?: 'top' | 'right' | 'bottom';
}) {
  return (
    <Radix.Root>
      <Radix.Trigger asChild>{children}</Radix.Trigger>
      <Radix.Portal>
        <Radix.Content
          side={side}
          sideOffset={6}
          className="z-60 max-w-72 animate-fade-in rounded-lg bg-[oklch(0.24_0.014_258)] px-2.5 py-1.5 text-[0.8125rem] text-white leading-5 shadow-high dark:bg-[oklch(0.92_0.006_262)] dark:text-[oklch(0.2_0.01_262)]"
        >
          {text}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
