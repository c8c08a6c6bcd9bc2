/** How much of the fault suite runs: the CI tier in minutes, the long one in hours (`npm run test:faults -- long`). */
export const isLong = process.env.DISKFLEET_FAULTS === 'long';
