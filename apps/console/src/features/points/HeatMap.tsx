'use client';
import type { PointView } from '@diskfleet/protocol';
import { formatCount } from '@/format/bytes';
import { formatAbsolute } from '@/format/time';
import { cn } from '@/ui/cn';
import { useNow } from '@/ui/Time';
import { calendarWeeks } from './calendarWeeks';

const shades = ['bg-hover', 'bg-accent/30', 'bg-accent/55', 'bg-accent/80', 'bg-accent'] as const;

/** Forty weeks of restore points (fewer on a narrow screen), one square a day, Monday on top. */
export function HeatMap({
  points,
  day,
  onDay,
}: {
  points: readonly PointView[];
  day: string | null;
  onDay: (day: string | null) => void;
}) {
  const now = useNow();
  if (now === 0) return <div className="skeleton h-32 w-full" />;
  const counts = new Map<string, number>();
  for (const point of points) {
    const key = formatAbsolute(point.createdAt).slice(0, 10);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const weeks = calendarWeeks(formatAbsolute(new Date(now).toISOString()).slice(0, 10), 40);
  const most = Math.max(1, ...counts.values());
  return (
    <figure aria-label="Restore points per day">
      <div className="overflow-x-auto p-1 pb-2">
        <div className="flex w-max gap-1">
          {weeks.map((week, index) => (
            <div key={week[0]} className={cn('content-start gap-1', widths(index))}>
              {week.map((date) => {
                const count = counts.get(date) ?? 0;
                const shade = shades[count === 0 ? 0 : Math.min(4, Math.ceil((count / most) * 4))];
                const label = `${date}: ${formatCount(count, 'restore point')}`;
                if (count === 0) return <span key={date} title={label} className={cn('size-5 rounded-[5px]', shade)} />;
                return (
                  <button
                    key={date}
                    type="button"
                    title={label}
                    aria-label={label}
                    aria-pressed={date === day}
                    onClick={() => onDay(date === day ? null : date)}
                    className={cn(
                      'size-5 rounded-[5px] outline-offset-1 hover:ring-2 hover:ring-accent-text/50',
                      shade,
                      date === day && 'ring-2 ring-ink',
                    )}
                  />
                );
              })}
            </div>
          ))}
        </div>
      </div>
      <figcaption className="mt-2 flex flex-wrap items-center justify-between gap-2 text-ink-3 text-xs">
        <span>Restore points per day, today at the end. Press a day to see its points.</span>
        <span className="flex items-center gap-1">
          fewer
          {shades.map((shade) => (
            <span key={shade} className={cn('size-3 rounded-[3px]', shade)} />
          ))}
          more
        </span>
      </figcaption>
    </figure>
  );
}

/** Squares stay large enough to press; a narrower screen shows fewer weeks. */
function widths(week: number): string {
  if (week < 14) return 'hidden xl:grid';
  return week < 27 ? 'hidden md:grid' : 'grid';
}
