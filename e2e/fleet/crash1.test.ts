import { killsLoseNothing } from './crashes.ts';

killsLoseNothing(0, 2);
