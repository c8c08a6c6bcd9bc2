/**
 * Where files commanded from the console may not be put. Whoever holds the server could otherwise make an image of their own and
 * have it "put back" into a folder whose files the system runs: a start script, a cron job, a library.
 */
const systemFolders = [
  '/bin',
  '/boot',
  '/dev',
  '/etc',
  '/lib',
  '/lib32',
  '/lib64',
  '/libx32',
  '/proc',
  '/root',
  '/run',
  '/sbin',
  '/sys',
  '/usr',
  '/var',
];
/** Below `/var`, but made for passing things on. */
const openFolders = ['/var/tmp'];

/**
 * Why a destination is closed to the console, or null. Folders that begin with a dot are closed too: they hold what programs of a
 * user start with (`~/.ssh`, `~/.config`).
 */
export function whyClosed(destination: string): string | null {
  const parts = destination.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.length === 0) return 'it is the root of the system';
  if (parts.some((part) => part.startsWith('.'))) return 'it is or lies in a hidden folder';
  const path = `/${parts.join('/')}`;
  const isIn = (folder: string) => path === folder || path.startsWith(`${folder}/`);
  if (openFolders.some(isIn)) return null;
  const found = systemFolders.find(isIn);
  if (found !== undefined) return `${found} belongs to the system`;
  return path === '/home' ? 'it holds the homes of all users' : null;
}
