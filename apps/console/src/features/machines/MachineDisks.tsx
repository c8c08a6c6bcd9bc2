'use client';
import type { InventoryDisk, MachineView } from '@diskfleet/protocol';
import { AlertTriangle, DatabaseBackup, HardDrive, Lock } from 'lucide-react';
import { useState } from 'react';
import { Button } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { Empty, Note } from '@/ui/Feedback';
import { Time } from '@/ui/Time';
import { BackupDialog } from '../backup/BackupDialog';
import { DiskMap } from '../diskMap/DiskMap';

export function MachineDisks({ machine }: { machine: MachineView }) {
  const [diskKey, setDiskKey] = useState<string | null>(null);
  const { disks, takenAt } = machine.inventory;
  if (disks.length === 0) {
    return (
      <Card>
        <Empty icon={HardDrive} title="No disks seen">
          {machine.limitation ?? 'The agent found no disk it may read.'}
        </Empty>
      </Card>
    );
  }
  return (
    <div className="grid gap-4">
      {disks.map((disk) => (
        <Card key={disk.key} className="p-5">
          <DiskMap
            disk={disk}
            actions={
              <Button
                size="sm"
                disabled={machine.state !== 'approved'}
                onClick={() => setDiskKey(disk.key)}
                aria-label={`Back up disk ${disk.name}`}
              >
                <DatabaseBackup aria-hidden />
                Back up
              </Button>
            }
          />
          <DiskNotes disk={disk} />
        </Card>
      ))}
      <p className="text-[0.8125rem] text-ink-3">
        As the agent saw it <Time iso={takenAt} />. “Refresh” asks it to look again.
      </p>
      {diskKey && (
        <BackupDialog
          key={diskKey}
          machine={machine}
          diskKeys={[diskKey]}
          open
          onOpenChange={(open) => !open && setDiskKey(null)}
        />
      )}
    </div>
  );
}

function DiskNotes({ disk }: { disk: InventoryDisk }) {
  return (
    <div className="grid gap-2 empty:hidden">
      {disk.busyReason && (
        <p className="mt-3 flex items-center gap-2 text-[0.8125rem] text-ink-3">
          <Lock className="size-3.5 shrink-0" aria-hidden />
          Cannot be overwritten now: {disk.busyReason}
        </p>
      )}
      {disk.warnings.map((text) => (
        <Note key={text} tone="warn" icon={AlertTriangle} className="mt-3 py-3">
          {text}
        </Note>
      ))}
    </div>
  );
}
