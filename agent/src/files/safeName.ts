/** Names inside an image are written by whoever wrote the image. These rules decide which may become names on this PC. */

const MAX_NAME_BYTES = 255;

/** Why a name must not be created, or null. It is used as one path component, below a folder that is held open. */
export function whyUnsafeName(name: string): string | null {
  if (name === '') return 'it is empty';
  if (name === '.' || name === '..') return 'it names a folder above';
  if (name.includes('/')) return 'it holds a path separator';
  if (name.includes('\0')) return 'it holds a NUL';
  return Buffer.byteLength(name) > MAX_NAME_BYTES ? 'it is longer than 255 bytes' : null;
}

/**
 * Whether a symbolic link at `segments` (real folders below the restore root, then its name) stays inside the root. It may climb
 * first, through folders we made, and then only go down: a `..` behind a name could climb from wherever another link leads.
 */
export function staysInside(segments: readonly string[], target: string): boolean {
  if (target === '' || target.startsWith('/') || target.includes('\0')) return false;
  let depth = segments.length - 1;
  let goingDown = false;
  for (const part of target.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') goingDown = true;
    else if (goingDown) return false;
    else depth -= 1;
    if (depth < 0) return false;
  }
  return true;
}

/** Permission bits that may be given back: setuid, setgid and sticky are dropped. */
export function safeMode(mode: number | null, fallback: number): number {
  return mode === null ? fallback : mode & 0o777;
}

/** `name (restored).txt`, then `name (restored 2).txt` and so on. */
export function numberedName(name: string, count: number): string {
  const dot = name.lastIndexOf('.');
  const [stem, extension] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ''];
  const mark = count === 1 ? ' (restored)' : ` (restored ${count})`;
  let kept = stem;
  while (Buffer.byteLength(kept + mark + extension) > MAX_NAME_BYTES && kept !== '') kept = kept.slice(0, -1);
  return kept + mark + extension;
}
