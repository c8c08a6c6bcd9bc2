import { killsLoseNothing } from './crashes.ts';

killsLoseNothing(1, 2);
