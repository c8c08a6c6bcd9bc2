'use client';
import { useQuery } from '@tanstack/react-query';
import { Command } from 'cmdk';
import { Archive, ArrowRight, MonitorCog } from 'lucide-react';
import { useRouter } from 'next/navigation';
import { Dialog as Radix } from 'radix-ui';
import { type ReactNode, useEffect } from 'react';
import { useTRPC } from '@/trpc/client';
import { Time } from '@/ui/Time';

const pages = [
  ['Overview', '/'],
  ['Machines', '/machines'],
  ['Waiting room', '/machines/pending'],
  ['Restore points', '/points'],
  ['Restore a disk', '/restore'],
  ['Jobs', '/jobs'],
  ['Storage', '/storage'],
  ['Activity', '/activity'],
  ['Settings', '/settings'],
] as const;

export function CommandPalette({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  const trpc = useTRPC();
  const router = useRouter();
  const machines = useQuery(trpc.machines.list.queryOptions({ state: 'all' }, { enabled: open }));
  const points = useQuery(trpc.points.list.queryOptions({}, { enabled: open }));
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== 'k' || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      onOpenChange(true);
    };
    document.addEventListener('keydown', listen);
    return () => document.removeEventListener('keydown', listen);
  }, [onOpenChange]);
  const go = (href: string) => {
    onOpenChange(false);
    router.push(href);
  };
  return (
    <Radix.Root open={open} onOpenChange={onOpenChange}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-50 animate-fade-in bg-[oklch(0.15_0.02_258/0.45)] backdrop-blur-[2px]" />
        <Radix.Content
          aria-describedby={undefined}
          className="fixed inset-x-4 top-[12vh] z-50 mx-auto max-w-xl animate-rise overflow-hidden rounded-2xl border border-line bg-raised shadow-high outline-none"
        >
          <Radix.Title className="sr-only">Search</Radix.Title>
          <Command label="Search">
            <Command.Input
              placeholder="Machines, restore points, pages…"
              className="h-13 w-full border-line border-b bg-transparent px-5 text-base text-ink outline-none placeholder:text-ink-3"
            />
            <Command.List className="max-h-[50vh] overflow-y-auto p-2 [&_[cmdk-group-heading]]:px-3 [&_[cmdk-group-heading]]:py-1.5 [&_[cmdk-group-heading]]:text-ink-3 [&_[cmdk-group-heading]]:text-xs">
              <Command.Empty className="px-3 py-8 text-center text-ink-2">Nothing has this name.</Command.Empty>
              <Command.Group heading="Go to">
                {pages.map(([label, href]) => (
                  <Item key={href} value={label} onSelect={() => go(href)}>
                    <ArrowRight aria-hidden />
                    {label}
                  </Item>
                ))}
              </Command.Group>
              <Command.Group heading="Machines">
                {machines.data?.slice(0, 200).map((machine) => (
                  <Item
                    key={machine.id}
                    value={`${machine.name} ${machine.hostname} ${machine.id}`}
                    onSelect={() => go(`/machines/${machine.id}`)}
                  >
                    <MonitorCog aria-hidden />
                    {machine.name}
                    <span className="ml-auto text-ink-3">{machine.os}</span>
                  </Item>
                ))}
              </Command.Group>
              <Command.Group heading="Newest restore points">
                {points.data?.slice(0, 50).map((point) => (
                  <Item
                    key={point.id}
                    value={`${point.machineName} ${point.source} ${point.comment} ${point.id}`}
                    onSelect={() => go(`/points/${point.id}`)}
                  >
                    <Archive aria-hidden />
                    <span className="truncate">
                      {point.machineName} · {point.source}
                    </span>
                    <Time iso={point.createdAt} className="ml-auto shrink-0 text-ink-3" />
                  </Item>
                ))}
              </Command.Group>
            </Command.List>
          </Command>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

function Item({ value, onSelect, children }: { value: string; onSelect: () => void; children: ReactNode }) {
  return (
    <Command.Item
      value={value}
      onSelect={onSelect}
      className="flex h-10 cursor-pointer items-center gap-3 rounded-lg px-3 text-ink data-[selected=true]:bg-hover [&_svg]:size-4 [&_svg]:shrink-0 [&_svg]:text-ink-3"
    >
      {children}
    </Command.Item>
  );
}
