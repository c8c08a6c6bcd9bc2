/** When to dial again: full jitter, so that a fleet whose server restarted does not come back in one second. */
const FIRST_MS = 2_000;
const CEILING_MS = 300_000;

/** @param failures connections lost or refused in a row, from 1; `random` in [0, 1) */
export function reconnectDelayMs(failures: number, random: () => number): number {
  const ceiling = Math.min(CEILING_MS, FIRST_MS * 2 ** Math.min(20, Math.max(0, failures - 1)));
  return Math.floor(random() * ceiling);
}

/** After a named refusal: what the server asked for, a little spread; null (a person must act first) is looked at every minute. */
export function refusalDelayMs(retryAfterMs: number | null, random: () => number): number {
  const wanted = Math.min(CEILING_MS, Math.max(500, retryAfterMs ?? 60_000));
  return Math.floor(wanted * (1 + random() * 0.2));
}
