/** Bounds the bytes of request bodies held in memory at one time; later requests wait their turn, first come first served. */
export function inFlightLimit(limitBytes: number) {
  let usedBytes = 0;
  const waiting: { bytes: number; start: () => void }[] = [];
  const startNext = () => {
    for (let next = waiting[0]; next && (usedBytes === 0 || usedBytes + next.bytes <= limitBytes); next = waiting[0]) {
      waiting.shift();
      usedBytes += next.bytes;
      next.start();
    }
  };
  return async function run<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    await new Promise<void>((start) => {
      waiting.push({ bytes, start });
      startNext();
    });
    try {
      return await work();
    } finally {
      usedBytes -= bytes;
      startNext();
    }
  };
}
