/** What no input may do: take more CPU time (waiting for a processor does not count), or more memory in a process of its own. */
export const MAX_CPU_MS = 1000;
export const MAX_RSS_BYTES = 256 << 20;

/** How a process ends that holds more than it may and cannot let go of it. */
export const EXIT_LEAKED = 86;
