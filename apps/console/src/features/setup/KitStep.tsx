'use client';
import type { VaultView } from '@diskfleet/protocol';
import { useState } from 'react';
import { Button } from '@/ui/Button';
import { Dialog } from '@/ui/Dialog';
import { RecoveryKit } from '../vaults/RecoveryKit';

/** Downloaded, or skipped in so many words. */
export function KitStep({ vault, password, onDone }: { vault: VaultView; password: string | null; onDone: () => void }) {
  const [asking, setAsking] = useState(false);
  return (
    <div className="grid gap-6">
      <RecoveryKit vault={vault} knownPassword={password} onDownloaded={onDone} />
      <div className="border-line border-t pt-4">
        <Button look="ghost" size="sm" className="-ml-2.5" onClick={() => setAsking(true)}>
          Skip for now
        </Button>
      </div>
      <Dialog
        open={asking}
        onOpenChange={setAsking}
        title="Go on without a recovery kit?"
        note="Until you download it, losing this server means losing every backup in this vault. Storage keeps reminding you."
        footer={
          <>
            <Button onClick={() => setAsking(false)}>Back</Button>
            <Button look="danger" onClick={onDone}>
              Skip, I accept the risk
            </Button>
          </>
        }
      >
        <p className="text-ink-2">It takes a second, and the file is a few kilobytes.</p>
      </Dialog>
    </div>
  );
}
