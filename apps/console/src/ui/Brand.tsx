import { cn } from './cn';

/** Three platters, one of them lit: a fleet of disks with a copy that is safe. */
export function BrandMark({ className }: { className?: string }) {
  return (
    <svg viewBox="0 0 32 32" className={cn('size-7', className)} aria-hidden="true">
      <rect x="1" y="1" width="30" height="30" rx="8.5" className="fill-accent" />
      <g fill="none" stroke="white" strokeWidth="2.1" strokeLinecap="round">
        <path d="M8 20.2c0 2.2 3.6 4 8 4s8-1.800 8-4" opacity="0.55" />
        <path d="M8 15.6c0 2.2 3.6 4 8 4s8-1.800 8-4" opacity="0.8" />
      </g>
      <ellipse cx="16" cy="11" rx="8" ry="4" fill="white" />
      <circle cx="16" cy="11" r="1.5" className="fill-accent" />
    </svg>
  );
}

export function Brand() {
  return (
    <span className="flex items-center gap-2.5">
      <BrandMark />
      <span className="font-semibold text-base text-ink tracking-[-0.01em]">Diskfleet</span>
    </span>
  );
}
