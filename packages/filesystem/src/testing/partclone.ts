import { readFile } from 'node:fs/promises';
import type { Extent } from '@diskfleet/disk';
import { runTool, type Scratch } from './scratch.ts';

/**
 * The used extents by partclone's own reader: an opinion independent of ours. `tool` e.g. `partclone.ext4`.
 * Sorted, disjoint, merged where adjacent. Takes two seconds of waiting: run several at once.
 */
export async function partcloneUsedExtents(tool: string, image: string, scratch: Scratch): Promise<Extent[]> {
  const stem = scratch.path(`domain-${process.pid}-${Math.random().toString(36).slice(2)}`);
  await runTool(tool, ['-D', '-q', '-s', image, '-o', `${stem}.map`, '-L', `${stem}.log`]);
  return parseDomainMap(await readFile(`${stem}.map`, 'utf8'));
}

/** Parses a ddrescue map: `position size status` in hexadecimal, `+` = used, after one line `position status`. */
export function parseDomainMap(text: string): Extent[] {
  const extents: { offsetBytes: number; lengthBytes: number }[] = [];
  for (const line of text.split('\n')) {
    const [position, size, status] = line.trim().split(/\s+/);
    if (!position?.startsWith('0x') || !size || status !== '+') continue;
    const offsetBytes = Number(position);
    const lengthBytes = Number(size);
    const last = extents.at(-1);
    if (last && last.offsetBytes + last.lengthBytes === offsetBytes) last.lengthBytes += lengthBytes;
    else extents.push({ offsetBytes, lengthBytes });
  }
  return extents;
}
