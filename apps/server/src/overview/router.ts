import type { OverviewView } from '@diskfleet/protocol';
import { notBuilt } from '../notBuilt.ts';
import { allowed, router } from '../trpc.ts';

export const overviewRouter = router({
  get: allowed('fleet:read').query(() => notBuilt<OverviewView>()),
});
