import {
  AlertTriangle,
  Ban,
  Check,
  CircleDashed,
  CircleSlash,
  Clock,
  Hourglass,
  LoaderCircle,
  type LucideIcon,
  OctagonAlert,
  Pause,
  PlugZap,
  Wifi,
  WifiOff,
} from 'lucide-react';
import type { ReactNode } from 'react';
import { cn } from './cn';

export type Tone = 'ok' | 'warn' | 'bad' | 'late' | 'busy' | 'quiet';

const tones = {
  ok: 'bg-ok-soft text-ok',
  warn: 'bg-warn-soft text-warn',
  bad: 'bg-bad-soft text-bad',
  late: 'bg-late-soft text-late',
  busy: 'bg-accent-soft text-accent-text',
  quiet: 'bg-hover text-ink-2',
} as const satisfies Record<Tone, string>;

interface StatusSign {
  readonly tone: Tone;
  readonly icon: LucideIcon;
  readonly text: string;
}

/** Every state of the product: colour, shape and word together, so that colour is never alone. */
const signs = {
  protected: { tone: 'ok', icon: Check, text: 'Protected' },
  'at-risk': { tone: 'warn', icon: AlertTriangle, text: 'At risk' },
  overdue: { tone: 'late', icon: Clock, text: 'Overdue' },
  never: { tone: 'bad', icon: OctagonAlert, text: 'Never backed up' },
  paused: { tone: 'quiet', icon: Pause, text: 'Paused' },
  online: { tone: 'ok', icon: Wifi, text: 'Online' },
  offline: { tone: 'quiet', icon: WifiOff, text: 'Offline' },
  pending: { tone: 'busy', icon: Hourglass, text: 'Waiting for approval' },
  approved: { tone: 'ok', icon: Check, text: 'Approved' },
  revoked: { tone: 'quiet', icon: Ban, text: 'Revoked' },
  quarantined: { tone: 'bad', icon: OctagonAlert, text: 'Quarantined' },
  queued: { tone: 'quiet', icon: Hourglass, text: 'Queued' },
  offered: { tone: 'busy', icon: PlugZap, text: 'Starting' },
  running: { tone: 'busy', icon: LoaderCircle, text: 'Running' },
  succeeded: { tone: 'ok', icon: Check, text: 'Succeeded' },
  warned: { tone: 'warn', icon: AlertTriangle, text: 'Done, with warnings' },
  failed: { tone: 'bad', icon: OctagonAlert, text: 'Failed' },
  cancelled: { tone: 'quiet', icon: CircleSlash, text: 'Cancelled' },
  missed: { tone: 'late', icon: Clock, text: 'Missed' },
  ready: { tone: 'ok', icon: Check, text: 'Ready' },
  unreachable: { tone: 'bad', icon: OctagonAlert, text: 'Unreachable' },
  verified: { tone: 'ok', icon: Check, text: 'Verified' },
  damaged: { tone: 'bad', icon: OctagonAlert, text: 'Damage found' },
  unverified: { tone: 'quiet', icon: CircleDashed, text: 'Not verified yet' },
} as const satisfies Record<string, StatusSign>;

export type StatusName = keyof typeof signs;

export function Status({ name, text, className }: { name: StatusName; text?: string; className?: string }) {
  const sign = signs[name];
  return (
    <Badge tone={sign.tone} className={className}>
      <sign.icon className={cn('size-3.5', name === 'running' && 'animate-spin')} aria-hidden />
      {text ?? sign.text}
    </Badge>
  );
}

export function Badge({ tone = 'quiet', className, children }: { tone?: Tone; className?: string; children: ReactNode }) {
  return (
    <span
      className={cn(
        'inline-flex h-6 shrink-0 items-center gap-1.5 whitespace-nowrap rounded-full px-2 font-medium text-xs',
        tones[tone],
        className,
      )}
    >
      {children}
    </span>
  );
}
