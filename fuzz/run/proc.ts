/** What Linux says of another process; null when it is gone. */
import { readFileSync } from 'node:fs';

const TICK_MS = 10;

function read(pid: number, name: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return null;
  }
}

/** Time on a processor, of all threads, in user and system mode: waiting for others does not count. */
export function usedCpuMs(pid: number): number | null {
  const fields = read(pid, 'stat')
    ?.replace(/^.*\) /s, '')
    .split(' ');
  return fields ? (Number(fields[11]) + Number(fields[12])) * TICK_MS : null;
}

export function residentBytes(pid: number): number | null {
  const kibibytes = read(pid, 'status')?.match(/^VmRSS:\s+(\d+)/m)?.[1];
  return kibibytes === undefined ? null : Number(kibibytes) * 1024;
}

/** The function of the kernel it waits in; `0` when it runs. */
export function waitsIn(pid: number): string | null {
  return read(pid, 'wchan');
}
