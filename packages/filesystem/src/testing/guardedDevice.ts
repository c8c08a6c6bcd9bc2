import type { BlockDevice } from '@diskfleet/disk';
import { DiskError } from '@diskfleet/disk';

/** Thrown by a guarded device when a reader asks for more than its budget: in a test this means a loop or a greedy allocation. */
export class BudgetError extends Error {}

export interface ReadBudget {
  readonly reads: number;
  readonly bytes: number;
  /** Largest single read. */
  readonly readBytes: number;
}

/** Counts what a reader asks of a device and stops it beyond a budget. */
export function guardedDevice(
  device: BlockDevice,
  budget: ReadBudget,
): BlockDevice & { readonly seen: { reads: number; bytes: number } } {
  const seen = { reads: 0, bytes: 0 };
  return {
    sizeBytes: device.sizeBytes,
    sectorBytes: device.sectorBytes,
    seen,
    async read(offsetBytes, target) {
      seen.reads += 1;
      seen.bytes += target.length;
      if (seen.reads > budget.reads) throw new BudgetError(`more than ${budget.reads} reads`);
      if (seen.bytes > budget.bytes) throw new BudgetError(`more than ${budget.bytes} bytes read`);
      if (target.length > budget.readBytes) throw new BudgetError(`one read of ${target.length} bytes`);
      await device.read(offsetBytes, target);
    },
    close: () => device.close(),
  };
}

/** A device whose medium fails from the `failFrom`-th read on (0 = at once). */
export function failingDevice(device: BlockDevice, failFrom: number): BlockDevice {
  let reads = 0;
  return {
    sizeBytes: device.sizeBytes,
    sectorBytes: device.sectorBytes,
    async read(offsetBytes, target) {
      if (reads++ >= failFrom) throw new DiskError('DISK_READ_FAILED', 'the medium fails here', { retry: 'later' });
      await device.read(offsetBytes, target);
    },
    close: () => device.close(),
  };
}

/** A device that cannot read some places. `bad` may be changed at any time; `seen.hits` counts how often any of it was asked for. */
export function deviceWithBadPlaces(
  device: BlockDevice,
  bad: { offsetBytes: number; lengthBytes: number }[],
): BlockDevice & { readonly seen: { hits: number } } {
  const seen = { hits: 0 };
  return {
    sizeBytes: device.sizeBytes,
    sectorBytes: device.sectorBytes,
    seen,
    async read(offsetBytes, target) {
      const end = offsetBytes + target.length;
      if (bad.some((place) => place.offsetBytes < end && offsetBytes < place.offsetBytes + place.lengthBytes)) {
        seen.hits += 1;
        throw new DiskError('DISK_READ_FAILED', 'a bad sector', { retry: 'later' });
      }
      await device.read(offsetBytes, target);
    },
    close: () => device.close(),
  };
}
