'use client';
import { OptionCards } from '@/ui/Choice';
import type { BackupKind } from './choice';

export const methods = ['incremental', 'differential', 'full'] as const;
export type Method = (typeof methods)[number];

const kindCards = [
  { value: 'system', name: 'System', text: 'What this PC needs to start again. It selects by itself.' },
  { value: 'disk', name: 'Disks', text: 'Whole disks with every partition on them.' },
  { value: 'partition', name: 'Partitions', text: 'Only what you tick; the partition table comes along.' },
] as const satisfies readonly { value: BackupKind; name: string; text: string }[];

const methodCards = [
  { value: 'incremental', name: 'Incremental', text: 'Stores what changed since the newest restore point.' },
  { value: 'differential', name: 'Differential', text: 'Stores what changed since the newest full one.' },
  { value: 'full', name: 'Full', text: 'Reads everything again. What the vault has is stored only once.' },
] as const satisfies readonly { value: Method; name: string; text: string }[];

export function KindChoice({ value, onChange }: { value: BackupKind; onChange: (kind: BackupKind) => void }) {
  return <ThreeCards legend="What to back up" value={value} onChange={onChange} cards={kindCards} />;
}

export function MethodChoice({ value, onChange }: { value: Method; onChange: (method: Method) => void }) {
  return (
    <div className="grid gap-1.5">
      <ThreeCards legend="Method" value={value} onChange={onChange} cards={methodCards} />
      <p className="text-[0.8125rem] text-ink-3">
        Whichever you choose, every restore point restores on its own; with nothing to build on, the first is full by itself.
      </p>
    </div>
  );
}

interface ThreeCardsProps<T extends string> {
  readonly legend: string;
  readonly value: T;
  readonly onChange: (value: T) => void;
  readonly cards: readonly {
    readonly value: T;
    readonly name: string;
    readonly text: string;
    readonly blocked?: string | null;
  }[];
}

function ThreeCards<T extends string>({ legend, value, onChange, cards }: ThreeCardsProps<T>) {
  return (
    <div className="grid gap-2">
      <span className="font-medium text-[0.8125rem] text-ink">{legend}</span>
      <OptionCards
        label={legend}
        value={value}
        onChange={(next) => {
          const card = cards.find((candidate) => candidate.value === next);
          if (card) onChange(card.value);
        }}
        options={cards.map((card) => ({
          value: card.value,
          name: card.name,
          body: (
            <>
              <span className="block font-semibold text-ink">{card.name}</span>
              <span className="block text-[0.8125rem] text-ink-3 leading-5">{card.text}</span>
            </>
          ),
        }))}
        className="sm:grid-cols-3"
      />
    </div>
  );
}
