'use client';
import { Check, Minus } from 'lucide-react';
import { RadioGroup, Checkbox as RadixCheckbox, ToggleGroup } from 'radix-ui';
import type { ReactNode } from 'react';
import { cn } from './cn';

interface CheckboxProps {
  /** For a `label` element that says the same beside it. */
  readonly id?: string;
  readonly label: string;
  readonly checked: boolean | 'indeterminate';
  readonly onChange: (checked: boolean) => void;
  readonly disabled?: boolean;
}

/** The box alone; `label` is its accessible name. */
export function Checkbox({ id, label, checked, onChange, disabled }: CheckboxProps) {
  return (
    <RadixCheckbox.Root
      id={id}
      aria-label={label}
      checked={checked}
      disabled={disabled}
      onCheckedChange={(next) => onChange(next === true)}
      className="relative grid size-[18px] shrink-0 place-items-center rounded-[5px] border border-line-strong bg-surface transition-colors before:absolute before:-inset-[3px] hover:border-accent-text disabled:opacity-40 data-[state=checked]:border-accent data-[state=indeterminate]:border-accent data-[state=checked]:bg-accent data-[state=indeterminate]:bg-accent"
    >
      <RadixCheckbox.Indicator className="text-accent-ink">
        {checked === 'indeterminate' ? (
          <Minus className="size-3.5" strokeWidth={3} />
        ) : (
          <Check className="size-3.5" strokeWidth={3} />
        )}
      </RadixCheckbox.Indicator>
    </RadixCheckbox.Root>
  );
}

interface OptionCardsProps {
  readonly label: string;
  readonly value: string | null;
  readonly onChange: (value: string) => void;
  readonly options: readonly {
    readonly value: string;
    /** Accessible name of the radio button. */
    readonly name: string;
    readonly body: ReactNode;
    /** Shown, but not selectable, and why. */
    readonly blocked?: string | null;
  }[];
  readonly className?: string;
}

/** Radio buttons drawn as cards: the whole card is the target. */
export function OptionCards({ label, value, onChange, options, className }: OptionCardsProps) {
  return (
    <RadioGroup.Root aria-label={label} value={value ?? ''} onValueChange={onChange} className={cn('grid gap-2', className)}>
      {options.map((option) => (
        <RadioGroup.Item
          key={option.value}
          value={option.value}
          aria-label={option.blocked ? `${option.name}, not selectable: ${option.blocked}` : option.name}
          disabled={Boolean(option.blocked)}
          className="group flex w-full items-start gap-3 rounded-xl border border-line bg-surface p-4 text-left transition-colors enabled:hover:border-line-strong disabled:cursor-not-allowed disabled:bg-sunken data-[state=checked]:border-accent-text data-[state=checked]:bg-accent-soft/60"
        >
          <span className="mt-0.5 grid size-[18px] shrink-0 place-items-center rounded-full border border-line-strong bg-surface group-disabled:opacity-40 group-data-[state=checked]:border-[5px] group-data-[state=checked]:border-accent" />
          <span className="min-w-0 flex-1">
            {option.body}
            {option.blocked && <span className="mt-2 block text-[0.8125rem] text-ink-2">Not selectable: {option.blocked}</span>}
          </span>
        </RadioGroup.Item>
      ))}
    </RadioGroup.Root>
  );
}

interface SegmentedProps<T extends string> {
  readonly label: string;
  readonly value: T;
  readonly options: readonly { readonly value: T; readonly label: ReactNode; readonly name?: string }[];
  readonly onChange: (value: T) => void;
}

export function Segmented<T extends string>({ label, value, options, onChange }: SegmentedProps<T>) {
  return (
    <ToggleGroup.Root
      type="single"
      aria-label={label}
      value={value}
      onValueChange={(next) => {
        const option = options.find((candidate) => candidate.value === next);
        if (option) onChange(option.value);
      }}
      className="inline-flex justify-self-start rounded-lg bg-hover p-0.5"
    >
      {options.map((option) => (
        <ToggleGroup.Item
          key={option.value}
          value={option.value}
          aria-label={option.name}
          className="flex h-7 items-center gap-1.5 rounded-md px-2.5 text-[0.8125rem] text-ink-2 hover:text-ink data-[state=on]:bg-surface data-[state=on]:font-medium data-[state=on]:text-ink data-[state=on]:shadow-card dark:data-[state=on]:bg-line [&_svg]:size-3.5"
        >
          {option.label}
        </ToggleGroup.Item>
      ))}
    </ToggleGroup.Root>
  );
}
