/** Counts tries by name in a sliding window. In memory: a restart forgives, which an attacker cannot cause. */
export interface TryLimit {
  /** Takes one try; false when there are none left. */
  take(name: string): boolean;
  forget(name: string): void;
}

export function tryLimit(options: { tries: number; windowMs: number; now: () => Date }): TryLimit {
  const { tries, windowMs, now } = options;
  const taken = new Map<string, number[]>();
  return {
    take(name) {
      const at = now().getTime();
      const recent = (taken.get(name) ?? []).filter((time) => time > at - windowMs);
      if (recent.length >= tries) return false;
      if (taken.size > 10_000) for (const [key, times] of taken) if ((times.at(-1) ?? 0) <= at - windowMs) taken.delete(key);
      taken.set(name, [...recent, at]);
      return true;
    },
    forget: (name) => void taken.delete(name),
  };
}
