/** Two numbers in shared memory that steer all threads of a run: the next piece of work, and whether to stop. */
export function createControl(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(8));
}
export function takeNext(control: Int32Array): number {
  return Atomics.add(control, 0, 1);
}
export function isStopped(control: Int32Array): boolean {
  return Atomics.load(control, 1) !== 0;
}
export function stop(control: Int32Array): void {
  Atomics.store(control, 1, 1);
}

/** Sums of `fields` counters per thread; each thread writes its own counters alone, so reading them needs no lock. */
export function sumCounters(counters: SharedArrayBuffer, fields: number): number[] {
  const all = new Float64Array(counters);
  const sums = new Array<number>(fields).fill(0);
  for (let index = 0; index < all.length; index++) sums[index % fields] = (sums[index % fields] ?? 0) + (all[index] ?? 0);
  return sums;
}
