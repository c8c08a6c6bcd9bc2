'use client';
import { ChevronRight } from 'lucide-react';
import { useId } from 'react';
import { Checkbox } from '@/ui/Choice';
import { Field, NativeSelect } from '@/ui/Field';
import type { Method } from './BackupChoices';
import { type BackupOptions, compressions, cutters, volatileContents } from './options';

interface BackupOptionFieldsProps {
  readonly options: BackupOptions;
  readonly method: Method;
  readonly onChange: (options: BackupOptions) => void;
}

const contentNames = { pagefile: 'page files', swap: 'swap space', hibernation: 'hibernation files' } as const;
const compressionNames = {
  fast: 'Fast: least work for the PC',
  balanced: 'Balanced',
  best: 'Best: smallest, slower',
  none: 'None: for content that is compressed already',
} as const;
const cutterNames = {
  default: 'As the engine sees fit',
  files: 'File by file: equal files of different PCs are stored once',
  grid: 'By place on the disk',
} as const;

export function BackupOptionFields({ options, method, onChange }: BackupOptionFieldsProps) {
  const { leaveOut, sectorBySector, compression } = options;
  const toggle = (content: (typeof volatileContents)[number], on: boolean) => {
    const next = new Set(leaveOut);
    if (on) next.add(content);
    else next.delete(content);
    onChange({ ...options, leaveOut: next });
  };
  return (
    <div className="grid gap-4">
      <fieldset className="grid gap-2.5">
        <legend className="mb-2 font-medium text-[0.8125rem] text-ink">Options</legend>
        {volatileContents.map((content) => (
          <Option
            key={content}
            label={`Leave out the contents of ${contentNames[content]}`}
            checked={leaveOut.has(content) && !sectorBySector}
            disabled={sectorBySector}
            onChange={(on) => toggle(content, on)}
          />
        ))}
        <Option
          label="Sector by sector"
          note="Takes free space too, deleted files with it. For forensic copies and filesystems nobody can read."
          checked={sectorBySector}
          onChange={(on) => onChange({ ...options, sectorBySector: on })}
        />
      </fieldset>
      <details className="group rounded-xl border border-line">
        <summary className="flex h-10 list-none items-center gap-2 rounded-xl px-4 font-medium text-[0.8125rem] text-ink-2 hover:text-ink [&::-webkit-details-marker]:hidden">
          <ChevronRight className="size-4 transition-transform group-open:rotate-90" aria-hidden />
          Advanced
        </summary>
        <div className="grid gap-4 px-4 pt-1 pb-4">
          <div className="grid gap-4 sm:grid-cols-2">
            <Field label="Compression">
              {(attributes) => (
                <NativeSelect
                  {...attributes}
                  value={compression}
                  onChange={(event) => {
                    const next = compressions.find((each) => each === event.currentTarget.value);
                    if (next) onChange({ ...options, compression: next });
                  }}
                >
                  {compressions.map((each) => (
                    <option key={each} value={each}>
                      {compressionNames[each]}
                    </option>
                  ))}
                </NativeSelect>
              )}
            </Field>
            <CutterField options={options} onChange={onChange} />
          </div>
          <Option
            label="Trust metadata"
            note={
              method === 'full'
                ? 'Only for incremental and differential backups.'
                : 'Files whose size and times did not change are not read again; a sample is, and a mismatch raises an alarm.'
            }
            checked={options.trustMetadata && method !== 'full' && !sectorBySector}
            disabled={method === 'full' || sectorBySector}
            onChange={(on) => onChange({ ...options, trustMetadata: on })}
          />
          <Option
            label="Go on even if a disk in use cannot be held still"
            note="What changes while it is read may be saved half old, half new. Without this, such a backup fails and says so."
            checked={options.allowInconsistent}
            onChange={(on) => onChange({ ...options, allowInconsistent: on })}
          />
        </div>
      </details>
    </div>
  );
}

function CutterField({ options, onChange }: Omit<BackupOptionFieldsProps, 'method'>) {
  return (
    <Field label="How blocks are cut">
      {(attributes) => (
        <NativeSelect
          {...attributes}
          value={options.cutter}
          disabled={options.sectorBySector}
          onChange={(event) => {
            const next = cutters.find((each) => each === event.currentTarget.value);
            if (next) onChange({ ...options, cutter: next });
          }}
        >
          {cutters.map((each) => (
            <option key={each} value={each}>
              {cutterNames[each]}
            </option>
          ))}
        </NativeSelect>
      )}
    </Field>
  );
}

interface OptionProps {
  readonly label: string;
  readonly note?: string;
  readonly checked: boolean;
  readonly disabled?: boolean;
  readonly onChange: (on: boolean) => void;
}

function Option({ label, note, checked, disabled = false, onChange }: OptionProps) {
  const id = useId();
  return (
    <div className="flex items-start gap-3">
      <span className="mt-0.5 flex">
        <Checkbox id={id} label={label} checked={checked} disabled={disabled} onChange={onChange} />
      </span>
      <div>
        <label htmlFor={id} className={disabled ? 'text-ink-3' : 'text-ink'}>
          {label}
        </label>
        {note && <p className="text-[0.8125rem] text-ink-3">{note}</p>}
      </div>
    </div>
  );
}
