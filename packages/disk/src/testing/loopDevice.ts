import { run } from './machine.ts';

export interface LoopDevice {
  readonly path: string;
  detach(): void;
}

/** Attaches `filePath` as a loop device. Call `detach` in a `finally` or `afterAll`. */
export function loopDevice(filePath: string, options: { sectorBytes?: number; readOnly?: boolean } = {}): LoopDevice {
  const flags = [
    '--find',
    '--show',
    '--sector-size',
    String(options.sectorBytes ?? 512),
    ...(options.readOnly ? ['--read-only'] : []),
  ];
  const path = run('losetup', [...flags, filePath]).trim();
  return { path, detach: () => void run('losetup', ['--detach', path]) };
}
