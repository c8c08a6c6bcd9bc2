/** How much of the fault suite runs: the CI tier in minutes, the long one in hours (`npm run test:faults -- long`). */
export const isLong = process.env.DISKFLEET_FAULTS === 'long';

/** One seed of the simulation to play again, or null. */
export const onlySeed = process.env.DISKFLEET_FAULT_SEED === undefined ? null : Number(process.env.DISKFLEET_FAULT_SEED);
