import type { MachineView } from '@diskfleet/protocol';
import { formatBytes } from '@/format/bytes';
import { Card, CardHead, Fact } from '@/ui/Card';
import { Time } from '@/ui/Time';

export function MachineHardware({ machine }: { machine: MachineView }) {
  const { hardware, os, timeZone, canReadDisks, allowRemoteDiskWrites, diskFilesFolder } = machine.inventory;
  const groups: [string, [string, string | null][]][] = [
    [
      'Computer',
      [
        ['Vendor', hardware.vendor],
        ['Model', hardware.model],
        ['Serial', hardware.serial],
        ['Processor', hardware.cpu],
        ['Cores', hardware.cores > 0 ? String(hardware.cores) : ''],
        ['Memory', hardware.memoryBytes > 0 ? formatBytes(hardware.memoryBytes) : ''],
      ],
    ],
    [
      'Operating system',
      [
        ['Name', os.name],
        ['Version', os.version],
        ['Kernel', os.kernel],
        ['Architecture', os.arch],
        ['Host name', machine.hostname],
        ['Time zone', timeZone],
      ],
    ],
    [
      'Agent',
      [
        ['Version', machine.agentVersion],
        ['Key fingerprint', machine.keyFingerprint],
        ['May read raw disks', canReadDisks ? 'yes' : 'no'],
        ['Disk writes from the console', allowRemoteDiskWrites ? 'allowed' : 'switched off on the PC'],
        ['Disk-files folder', diskFilesFolder],
      ],
    ],
  ];
  return (
    <div className="grid gap-6">
      {groups.map(([title, facts]) => (
        <Card key={title}>
          <CardHead title={title} />
          <dl className="grid grid-cols-2 gap-x-6 gap-y-5 border-line border-t px-5 py-5 sm:grid-cols-3">
            {facts.map(([label, value]) => (
              <Fact key={label} label={label}>
                {value || <span className="text-ink-3">unknown</span>}
              </Fact>
            ))}
            {title === 'Agent' && (
              <Fact label="Enrolled">
                <Time iso={machine.enrolledAt} show="both" />
              </Fact>
            )}
          </dl>
        </Card>
      ))}
    </div>
  );
}
