/** The one formatter of times: relative for the eye, absolute for the record. `now` is an argument, so it can be tested. */
const steps = [
  { limitSeconds: 90, divisor: 1, unit: 'second' },
  { limitSeconds: 90 * 60, divisor: 60, unit: 'minute' },
  { limitSeconds: 36 * 3600, divisor: 3600, unit: 'hour' },
  { limitSeconds: 45 * 86_400, divisor: 86_400, unit: 'day' },
  { limitSeconds: 548 * 86_400, divisor: 30.44 * 86_400, unit: 'month' },
  { limitSeconds: Number.POSITIVE_INFINITY, divisor: 365.25 * 86_400, unit: 'year' },
] as const;

export function formatRelative(iso: string, nowMs: number): string {
  const thenMs = Date.parse(iso);
  if (Number.isNaN(thenMs)) return '–';
  const seconds = Math.round((nowMs - thenMs) / 1000);
  if (Math.abs(seconds) < 10) return 'just now';
  const distance = Math.abs(seconds);
  const step = steps.find((candidate) => distance < candidate.limitSeconds) ?? steps[5];
  const count = Math.max(1, Math.round(distance / step.divisor));
  const text = `${count} ${step.unit}${count === 1 ? '' : 's'}`;
  return seconds >= 0 ? `${text} ago` : `in ${text}`;
}

/** `2026-11-22 14:05` in the reader's zone, or in `timeZone`. */
export function formatAbsolute(iso: string, timeZone?: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return '–';
  const parts = new Intl.DateTimeFormat('en-CA', {
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    timeZone,
  }).formatToParts(date);
  const part = (type: string) => parts.find((candidate) => candidate.type === type)?.value ?? '';
  return `${part('year')}-${part('month')}-${part('day')} ${part('hour')}:${part('minute')}`;
}

/** `14:05:09` for log lines. */
export function formatClock(iso: string): string {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? '–' : date.toLocaleTimeString('en-GB', { hour12: false });
}

export function formatDuration(totalSeconds: number): string {
  const seconds = Math.max(0, Math.round(totalSeconds));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}

/** An honest estimate is a range; a narrow one is said as one number. */
export function formatEta(eta: { low: number; high: number } | null): string {
  if (eta === null) return 'estimating…';
  if (eta.high < 10) return 'a few seconds left';
  const low = roundSeconds(eta.low);
  const high = roundSeconds(eta.high);
  if (low === high) return `about ${short(high)} left`;
  return `${short(low)} – ${short(high)} left`;
}

function roundSeconds(seconds: number): number {
  if (seconds < 60) return Math.max(5, Math.round(seconds / 5) * 5);
  if (seconds < 3600) return Math.round(seconds / 60) * 60;
  return Math.round(seconds / 600) * 600;
}

function short(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1).replace('.0', '')} h`;
}
