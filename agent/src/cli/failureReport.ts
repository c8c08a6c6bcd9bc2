/** How a failure is shown and which exit code it has. The codes are a contract: scripts branch on them. */
import { cleanText, type Failure, failureText } from '@diskfleet/protocol';

export const exitCodes = { done: 0, failed: 1, usage: 2, warnings: 3, refused: 4, interrupted: 130 } as const;

const refusedForSafety: ReadonlySet<string> = new Set([
  'PLAN_NOT_CONFIRMED',
  'PLAN_CHANGED',
  'PLAN_EXPIRED',
  'CONFIRMATION_WRONG',
  'TARGET_CHANGED',
  'TARGET_IN_USE',
  'TARGET_IS_SYSTEM_DISK',
  'TARGET_IS_SOURCE',
  'DISK_BUSY',
  'RESTORE_PATH_UNSAFE',
  'DESTINATION_UNSAFE',
]);

export function exitCodeOf(code: string): number {
  if (code === 'USAGE') return exitCodes.usage;
  if (code === 'CANCELLED') return exitCodes.interrupted;
  return refusedForSafety.has(code) ? exitCodes.refused : exitCodes.failed;
}

/** The document of a failure with `--json`. */
export function failureDocument({ code, detail }: Failure): { error: { code: string; message: string; guidance: string } } {
  const { what, todo } = failureText(code);
  return { error: { code, message: detail === '' ? what : `${what} ${detail}`, guidance: todo } };
}

/** Four parts: what failed, what it means for the data, what to do, the code. */
export function failureReport({ code, detail }: Failure, color: boolean): string {
  const { what, data, todo } = failureText(code);
  const bold = (text: string) => (color ? `\u001b[1;31m${text}\u001b[0m` : text);
  const dim = (text: string) => (color ? `\u001b[2m${text}\u001b[0m` : text);
  const lines = [bold(what)];
  if (detail !== '') lines.push(`  ${cleanText(detail)}`);
  lines.push(`${dim('Your data: ')}${data}`, `${dim('What to do:')} ${todo}`, `${dim('Code:      ')}${code}`);
  return `${lines.join('\n')}\n`;
}
