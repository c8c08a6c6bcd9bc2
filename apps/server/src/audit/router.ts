import type { AuditEntryView } from '@diskfleet/protocol';
import { z } from 'zod';
import { notBuilt } from '../notBuilt.ts';
import { allowed, router } from '../trpc.ts';

export const auditRouter = router({
  list: allowed('audit:read')
    .input(
      z
        .object({ limit: z.number().int().min(1).max(500).default(100), beforeSeq: z.number().int().min(1).optional() })
        .default({ limit: 100 }),
    )
    .query(() => notBuilt<{ entries: readonly AuditEntryView[]; nextBeforeSeq: number | null }>()),
  verify: allowed('audit:read').mutation(() => notBuilt<{ ok: boolean; entries: number; brokenAtSeq: number | null }>()),
});
