/**
 * Gives memory that was freed back to the system. What a thread leaves behind stays with the C library's allocator, which keeps it for
 * later: tens of megabytes after a walk of many files, in a process that is to stay small. glibc only; elsewhere nothing happens.
 */
export async function releaseMemory(): Promise<void> {
  if (process.platform !== 'linux') return;
  try {
    const { default: koffi } = await import('koffi');
    koffi.load(null).func('int malloc_trim(size_t)')(0);
  } catch {
    // Another C library, or no koffi: the memory is used again later.
  }
}
