/** Time and chance as arguments, so that every rule about them can be tested without waiting. */
export interface Timers {
  now(): Date;
  random(): number;
  /** Returns what undoes it. */
  after(delayMs: number, action: () => void): () => void;
}

export const realTimers: Timers = {
  now: () => new Date(),
  random: Math.random,
  after: (delayMs, action) => {
    const timer = setTimeout(action, delayMs);
    return () => clearTimeout(timer);
  },
};
