'use client';
import { useQuery } from '@tanstack/react-query';
import { Activity } from 'lucide-react';
import Link from 'next/link';
import { useTRPC } from '@/trpc/client';
import { buttonStyle } from '@/ui/Button';
import { cn } from '@/ui/cn';
import { Tooltip } from '@/ui/Tooltip';

export function RunningJobs() {
  const trpc = useTRPC();
  const running = useQuery(trpc.jobs.list.queryOptions({ states: ['offered', 'running'], limit: 20 }));
  const count = running.data?.jobs.filter((job) => job.state === 'running' || job.state === 'offered').length ?? 0;
  const text = count === 0 ? 'No job is running' : count === 1 ? '1 job is running' : `${count} jobs are running`;
  return (
    <Tooltip text={text} side="bottom">
      <Link
        href="/jobs"
        aria-label={text}
        className={cn(
          buttonStyle({ look: 'ghost', size: count > 0 ? 'sm' : 'icon' }),
          count > 0 && 'bg-accent-soft text-accent-text',
        )}
      >
        <Activity className={cn(count > 0 && 'motion-safe:animate-pulse')} aria-hidden />
        {count > 0 && count}
      </Link>
    </Tooltip>
  );
}
