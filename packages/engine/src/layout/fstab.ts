/** Which volumes a Linux system mounts where, by its /etc/fstab (fstab(5)): how a system at rest tells what belongs to it. */
import type { DiskOfPc } from './selectSystem.ts';

export interface FstabLine {
  /** `UUID=…`, `LABEL=…`, `PARTUUID=…`, `PARTLABEL=…` or a path. */
  readonly what: string;
  /** `swap` for swap space. */
  readonly mountPoint: string;
}

/** Lines that are not understood say nothing. */
export function parseFstab(text: string): FstabLine[] {
  const lines: FstabLine[] = [];
  for (const line of text.split('\n')) {
    const [what, mountPoint, kind] = line.trim().split(/\s+/).map(unescapeOctal);
    if (what === undefined || mountPoint === undefined || kind === undefined || what.startsWith('#')) continue;
    if (kind === 'swap') lines.push({ what, mountPoint: 'swap' });
    else if (mountPoint.startsWith('/')) lines.push({ what, mountPoint: mountPoint.replace(/(?<=.)\/+$/, '') });
  }
  return lines;
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

export interface VolumeName {
  readonly disk: string;
  readonly partition: number;
}

/** The volumes a line may mean: one, unless a copy of a disk is there beside it. Kernel names (`/dev/sda1`) mean nothing later. */
export function volumesOfLine(what: string, disks: readonly DiskOfPc[]): VolumeName[] {
  const found = /^(UUID|LABEL|PARTUUID|PARTLABEL)=(.+)$/.exec(fromPath(what));
  const value = found?.[2]?.replace(/^"(.*)"$/, '$1') ?? '';
  if (value === '') return [];
  return disks.flatMap((disk) => {
    const whole = { number: 0, id: null, name: '', startBytes: 0, filesystem: disk.filesystem };
    return (disk.table === null ? [whole] : disk.partitions)
      .filter(({ number, id, name, filesystem }) => {
        if (found?.[1] === 'UUID') return filesystem?.uuid.toLowerCase() === value.toLowerCase();
        if (found?.[1] === 'LABEL') return filesystem?.label === value;
        if (found?.[1] === 'PARTLABEL') return name === value;
        return (id ?? mbrId(disk, number)) === value.toLowerCase();
      })
      .map(({ number }) => ({ disk: disk.key, partition: number }));
  });
}

/** As the kernel names MBR partitions: signature of the disk and two hex digits. */
function mbrId({ table, tableId }: DiskOfPc, number: number): string {
  return table === 'mbr' ? `${tableId}-${number.toString(16).padStart(2, '0')}` : '';
}

function fromPath(what: string): string {
  const found = /^\/dev\/disk\/by-(uuid|label|partuuid|partlabel)\/(.+)$/.exec(what);
  return found === null ? what : `${found[1]?.toUpperCase()}=${found[2]}`;
}
