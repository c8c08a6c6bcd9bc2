/**
 * Does `work` for each job in order, at most `lanes` at once: waits for a disk or a network overlap. When one fails no other is begun;
 * those under way are waited for, since they use memory and store, and the first failure is thrown.
 */
export async function inLanes<T>(lanes: number, jobs: Iterable<T>, work: (job: T, lane: number) => Promise<void>): Promise<void> {
  const queue = jobs[Symbol.iterator]();
  let failed = false;
  const runLane = async (lane: number) => {
    for (let next = queue.next(); !next.done && !failed; next = queue.next()) {
      try {
        await work(next.value, lane);
      } catch (cause) {
        failed = true;
        throw cause;
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: lanes }, (_, lane) => runLane(lane)));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}
