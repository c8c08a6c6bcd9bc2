/** The last `weeks` weeks up to and with `today` (`YYYY-MM-DD`), oldest first; each begins on Monday, the last may be short. */
export function calendarWeeks(today: string, weeks: number): string[][] {
  const end = Date.parse(`${today}T00:00:00Z`);
  const daysSinceMonday = (new Date(end).getUTCDay() + 6) % 7;
  const dayMs = 86_400_000;
  const first = end - (daysSinceMonday + (weeks - 1) * 7) * dayMs;
  return Array.from({ length: weeks }, (_, week) =>
    Array.from({ length: 7 }, (_, day) => first + (week * 7 + day) * dayMs)
      .filter((time) => time <= end)
      .map((time) => new Date(time).toISOString().slice(0, 10)),
  );
}
