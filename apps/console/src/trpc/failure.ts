/** Every error of a call, read as the four parts a person is shown. */
import { failureText } from '@diskfleet/protocol/failures';
import * as z from 'zod';

export interface ShownFailure {
  readonly code: string;
  readonly what: string;
  readonly data: string;
  readonly todo: string;
  readonly detail: string;
}

const failureShape = z.object({
  code: z.string(),
  what: z.string(),
  data: z.string(),
  todo: z.string(),
  detail: z.string(),
});
const serverErrorShape = z.object({ data: z.object({ code: z.string(), failure: failureShape }) });

export function failureOf(error: unknown): ShownFailure {
  const parsed = serverErrorShape.safeParse(error);
  if (parsed.success) return parsed.data.data.failure;
  if (isNetworkError(error)) return failureByCode('SERVER_UNREACHABLE');
  return failureByCode('INTERNAL', error instanceof Error ? error.message : '');
}

export function failureByCode(code: string, detail = ''): ShownFailure {
  return { code, ...failureText(code), detail };
}

/** The session ended or was revoked: the person has to sign in again. */
export function isSignedOut(error: unknown): boolean {
  const parsed = serverErrorShape.safeParse(error);
  return parsed.success && parsed.data.data.code === 'UNAUTHORIZED' && parsed.data.data.failure.code === 'NOT_ALLOWED';
}

/** What is worth trying again by itself: no answer at all. A coded refusal will not change. */
export function isNetworkError(error: unknown): boolean {
  return (
    error instanceof Error &&
    !serverErrorShape.safeParse(error).success &&
    /fetch|network|json|unexpected|stream/i.test(error.message)
  );
}
