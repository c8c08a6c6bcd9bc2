'use client';
import { Menu as MenuIcon, Search, X } from 'lucide-react';
import Link from 'next/link';
import { usePathname } from 'next/navigation';
import { Dialog as RadixDialog } from 'radix-ui';
import { type ReactNode, useEffect, useState } from 'react';
import { LiveEvents } from '@/live/LiveEvents';
import { Brand } from '@/ui/Brand';
import { Button } from '@/ui/Button';
import { CommandPalette } from './CommandPalette';
import { ConnectionNote } from './ConnectionNote';
import { Nav } from './Nav';
import { RunningJobs } from './RunningJobs';
import { ThemeMenu, UserMenu } from './UserMenu';

export function Shell({ children }: { children: ReactNode }) {
  const [palette, setPalette] = useState(false);
  const [drawer, setDrawer] = useState(false);
  const pathname = usePathname();
  // The drawer closes whenever the page changes.
  useEffect(() => setDrawer(false), [pathname]);
  return (
    <div className="min-h-dvh lg:grid lg:grid-cols-[15rem_minmax(0,1fr)]">
      <a
        href="#main"
        className="sr-only z-60 rounded-lg bg-accent px-4 py-2 text-accent-ink focus:not-sr-only focus:fixed focus:top-3 focus:left-3"
      >
        Skip to content
      </a>
      <LiveEvents />
      <aside className="sticky top-0 hidden h-dvh flex-col border-line border-r bg-sunken lg:flex">
        <Link href="/" className="m-3 mb-2 flex h-11 items-center rounded-lg px-2">
          <Brand />
        </Link>
        <Nav />
      </aside>
      <div className="flex min-w-0 flex-col">
        <header className="sticky top-0 z-30 flex h-14 items-center gap-2 border-line border-b bg-canvas/85 px-4 backdrop-blur-md sm:px-6 lg:px-8">
          <Button look="ghost" size="icon" className="lg:hidden" aria-label="Open the menu" onClick={() => setDrawer(true)}>
            <MenuIcon className="size-5" />
          </Button>
          <button
            type="button"
            onClick={() => setPalette(true)}
            className="flex h-9 w-full max-w-80 items-center gap-2.5 rounded-lg border border-line bg-surface px-3 text-ink-3 transition-colors hover:border-line-strong/60"
          >
            <Search className="size-4 shrink-0" aria-hidden />
            <span className="truncate">Search…</span>
            <kbd className="ml-auto hidden rounded border border-line bg-sunken px-1.5 font-sans text-2xs leading-4 sm:block">
              Ctrl K
            </kbd>
          </button>
          <div className="ml-auto flex items-center gap-1">
            <RunningJobs />
            <ThemeMenu />
            <UserMenu />
          </div>
        </header>
        <ConnectionNote />
        <main
          id="main"
          tabIndex={-1}
          className="mx-auto w-full max-w-[82rem] flex-1 px-4 py-6 outline-none sm:px-6 lg:px-8 lg:py-8"
        >
          {children}
        </main>
      </div>
      <CommandPalette open={palette} onOpenChange={setPalette} />
      <RadixDialog.Root open={drawer} onOpenChange={setDrawer}>
        <RadixDialog.Portal>
          <RadixDialog.Overlay className="fixed inset-0 z-40 animate-fade-in bg-[oklch(0.15_0.02_258/0.45)] lg:hidden" />
          <RadixDialog.Content
            aria-describedby={undefined}
            className="fixed inset-y-0 left-0 z-50 flex w-72 animate-fade-in flex-col border-line border-r bg-sunken shadow-high outline-none lg:hidden"
          >
            <div className="flex items-center justify-between p-4">
              <RadixDialog.Title>
                <Brand />
              </RadixDialog.Title>
              <RadixDialog.Close asChild>
                <Button look="ghost" size="icon" aria-label="Close the menu">
                  <X />
                </Button>
              </RadixDialog.Close>
            </div>
            <Nav />
          </RadixDialog.Content>
        </RadixDialog.Portal>
      </RadixDialog.Root>
    </div>
  );
}
