import { allowed, router } from '../trpc.ts';
import { getOverview } from './get.ts';

export const overviewRouter = router({
  get: allowed('fleet:read').query(({ ctx: { ctx } }) => getOverview(ctx)),
});
