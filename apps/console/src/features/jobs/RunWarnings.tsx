import { AlertTriangle, OctagonAlert } from 'lucide-react';
import { formatCount } from '@/format/bytes';
import { Note } from '@/ui/Feedback';
import { isInconsistent } from './jobWords';

/** What a run wants said before its success is believed. A picture that is not of one moment is said loudest. */
export function RunWarnings({ warnings }: { warnings: readonly string[] }) {
  const torn = warnings.filter(isInconsistent);
  const others = warnings.filter((text) => !isInconsistent(text));
  return (
    <>
      {torn.length > 0 && (
        <Note tone="bad" icon={OctagonAlert} title="This restore point is not of one moment">
          <Texts texts={torn} />
          <p className="mt-1">
            After a restore, check the files that were being written. Make another point when the disk can be held still.
          </p>
        </Note>
      )}
      {others.length > 0 && (
        <Note tone="warn" icon={AlertTriangle} title={formatCount(others.length, 'warning')}>
          <Texts texts={others} />
        </Note>
      )}
    </>
  );
}

function Texts({ texts }: { texts: readonly string[] }) {
  return (
    <ul className="grid gap-1">
      {texts.map((text) => (
        <li key={text} className="break-words">
          {text}
        </li>
      ))}
    </ul>
  );
}
