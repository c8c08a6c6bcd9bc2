/** The machines as a table for other programs: sizes in bytes, times in ISO 8601 UTC. */
import type { MachineSummary } from '@diskfleet/protocol';
import { csvOf } from '../../format/csv';

type Column = (machine: MachineSummary) => string | number | null;

const columns: readonly (readonly [head: string, of: Column])[] = [
  ['name', (machine) => machine.name],
  ['hostname', (machine) => machine.hostname],
  ['system', (machine) => machine.os],
  ['protection', (machine) => machine.protection],
  ['why', (machine) => machine.protectionReason],
  ['connection', (machine) => machine.connection],
  ['lastSeenAt', (machine) => machine.lastSeenAt],
  ['newestPointAt', (machine) => machine.newestPointAt],
  ['disks', (machine) => machine.disks],
  ['totalBytes', (machine) => machine.totalBytes],
  ['agentVersion', (machine) => machine.agentVersion],
  ['id', (machine) => machine.id],
];

export function machinesCsv(machines: readonly MachineSummary[]): string {
  return csvOf([columns.map(([head]) => head), ...machines.map((machine) => columns.map(([, of]) => of(machine)))]);
}
