import { Check } from 'lucide-react';
import { cn } from '@/ui/cn';

const names = [
  ['what', 'What'],
  ['where', 'Where'],
  ['plan', 'Plan'],
  ['run', 'Run'],
] as const;

export function Stepper({ current }: { current: (typeof names)[number][0] }) {
  const at = names.findIndex(([step]) => step === current);
  return (
    <ol aria-label="Steps" className="mb-6 grid grid-cols-4 gap-2">
      {names.map(([step, label], index) => {
        const done = index < at;
        const here = index === at;
        return (
          <li
            key={step}
            aria-current={here ? 'step' : undefined}
            className={cn('border-t-2 pt-2.5', done || here ? 'border-accent-text' : 'border-line')}
          >
            <span className={cn('flex items-center gap-2 font-medium text-[0.8125rem]', here ? 'text-ink' : 'text-ink-3')}>
              <span
                className={cn(
                  'grid size-5 shrink-0 place-items-center rounded-full text-2xs',
                  here ? 'bg-accent text-accent-ink' : done ? 'bg-accent-soft text-accent-text' : 'bg-hover',
                )}
              >
                {done ? <Check className="size-3" strokeWidth={3} aria-label="done" /> : index + 1}
              </span>
              <span className={cn(!here && 'hidden sm:inline')}>{label}</span>
            </span>
          </li>
        );
      })}
    </ol>
  );
}
