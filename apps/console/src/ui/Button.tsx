import { cva, type VariantProps } from 'class-variance-authority';
import { LoaderCircle } from 'lucide-react';
import { Slot } from 'radix-ui';
import type { ComponentProps } from 'react';
import { cn } from './cn';

export const buttonStyle = cva(
  'inline-flex shrink-0 select-none items-center justify-center gap-2 whitespace-nowrap rounded-lg font-medium transition-[background-color,border-color,color,box-shadow] duration-100 disabled:cursor-not-allowed disabled:opacity-50 aria-disabled:cursor-not-allowed aria-disabled:opacity-50 [&_svg]:size-4 [&_svg]:shrink-0',
  {
    variants: {
      look: {
        primary: 'bg-accent text-accent-ink shadow-card enabled:hover:bg-accent-hover [a&]:hover:bg-accent-hover',
        secondary:
          'border border-line bg-surface text-ink shadow-card enabled:hover:bg-hover [a&]:hover:bg-hover dark:bg-raised dark:enabled:hover:bg-hover',
        ghost: 'text-ink-2 enabled:hover:bg-hover enabled:hover:text-ink [a&]:hover:bg-hover [a&]:hover:text-ink',
        danger: 'bg-[oklch(0.52_0.19_27)] text-white shadow-card enabled:hover:bg-[oklch(0.47_0.19_27)]',
        dangerQuiet: 'border border-line bg-surface text-bad shadow-card enabled:hover:bg-bad-soft',
      },
      size: {
        sm: 'h-8 px-2.5 text-[0.8125rem]',
        md: 'h-9 px-3.5 text-sm',
        lg: 'h-11 px-5 text-[0.9375rem]',
        icon: 'size-8',
      },
    },
    defaultVariants: { look: 'secondary', size: 'md' },
  },
);

type ButtonProps = ComponentProps<'button'> &
  VariantProps<typeof buttonStyle> & {
    readonly asChild?: boolean;
    /** Shows a spinner and blocks clicks; the label stays, so its accessible name does too. */
    readonly busy?: boolean;
  };

export function Button({ className, look, size, asChild = false, busy = false, children, disabled, ...props }: ButtonProps) {
  const style = cn(buttonStyle({ look, size }), className);
  if (asChild) {
    return (
      <Slot.Root className={style} {...props}>
        {children}
      </Slot.Root>
    );
  }
  return (
    <button type="button" className={style} disabled={disabled || busy} aria-busy={busy || undefined} {...props}>
      {busy && <LoaderCircle className="animate-spin" aria-hidden />}
      {children}
    </button>
  );
}
