'use client';
import { useEffect, useState } from 'react';
import { formatRate } from '@/format/bytes';

const width = 600;
const height = 56;
const most = 120;

/** Speed since the page was opened. Rates are not stored: the result holds the average. */
export function SpeedChart({ bytesPerSecond }: { bytesPerSecond: number | null }) {
  const [rates, setRates] = useState<readonly number[]>([]);
  useEffect(() => {
    if (bytesPerSecond !== null) setRates((known) => [...known.slice(1 - most), bytesPerSecond]);
  }, [bytesPerSecond]);
  if (rates.length < 3) return null;
  const top = Math.max(...rates) * 1.1;
  const points = rates.map(
    (rate, index) => `${((index / (rates.length - 1)) * width).toFixed(1)},${(height - (rate / top) * height).toFixed(1)}`,
  );
  return (
    <figure className="mt-5 border-line border-t pt-4" aria-label={`Speed, now ${formatRate(bytesPerSecond)}`}>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        className="h-14 w-full overflow-visible"
        aria-hidden="true"
      >
        <polygon points={`0,${height} ${points.join(' ')} ${width},${height}`} className="fill-accent/12" />
        <polyline
          points={points.join(' ')}
          fill="none"
          className="stroke-accent-text"
          strokeWidth="1.5"
          vectorEffect="non-scaling-stroke"
          strokeLinejoin="round"
        />
      </svg>
      <figcaption className="mt-1 flex justify-between text-ink-3 text-xs">
        <span>Speed since this page was opened</span>
        <span>peak {formatRate(Math.max(...rates))}</span>
      </figcaption>
    </figure>
  );
}
