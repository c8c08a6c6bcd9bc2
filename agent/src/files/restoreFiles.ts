/**
 * Puts files and folders of an image back into a folder of this PC. The image is hostile until proven otherwise: nothing it holds
 * can be written outside the destination, follow a link, become a device or carry setuid. Links are made last, as links.
 */
import type { ExploreEntry, Explorer, Operation } from '@diskfleet/engine';
import { cleanText } from '@diskfleet/protocol';
import { AgentError, codeOf, toFailure } from '../errors.ts';
import { HeldFolder } from './heldFolder.ts';
import { safeMode, staysInside, whyUnsafeName } from './safeName.ts';
import { isFileTime, type OverwriteRule, writeFile } from './writeFile.ts';

export interface FilesToRestore {
  readonly explorer: Explorer;
  /** Paths in the image, each with its partition number; what they name is put directly into the destination. */
  readonly paths: readonly string[];
  /** Absolute; made when missing; a link anywhere in it is refused. */
  readonly destination: string;
  /** Another name for the one thing restored, or null. */
  readonly name: string | null;
  readonly overwrite: OverwriteRule;
  /** Symbolic links: leave out, make those that stay inside the destination, or make all. Never followed. */
  readonly symlinks: 'none' | 'inside' | 'all';
  /** Hard cap on written bytes, against files that claim to be endless. */
  readonly maxTotalBytes: number;
}

export interface FilesRestored {
  readonly files: number;
  readonly writtenBytes: number;
  readonly skipped: number;
  readonly seconds: number;
  readonly warnings: readonly string[];
}

const MAX_DEPTH = 256;
const MAX_WARNINGS = 200;

interface Run {
  readonly request: FilesToRestore;
  readonly op: Operation;
  readonly warnings: string[];
  readonly links: { readonly segments: readonly string[]; readonly entry: ExploreEntry }[];
  files: number;
  writtenBytes: number;
  skipped: number;
}

/**
 * @throws AgentError `DESTINATION_UNSAFE`, `RESTORE_PATH_UNSAFE` (the cap), `CANCELLED`; EngineError and FilesystemError for paths
 *   that are not in the image; DiskError when it cannot be read. What cannot be restored of a tree is left out and named.
 */
export async function restoreFiles(request: FilesToRestore, op: Operation): Promise<FilesRestored> {
  const startedAt = performance.now();
  const run: Run = { request, op, warnings: [], links: [], files: 0, writtenBytes: 0, skipped: 0 };
  const wanted: { path: string; entry: ExploreEntry; name: string }[] = [];
  // All paths are looked up before anything is made: a mistyped one changes nothing.
  for (const path of request.paths) {
    const entry = await request.explorer.stat(path);
    wanted.push({ path, entry, name: request.name ?? baseName(path) });
  }
  const root = await HeldFolder.walk(request.destination);
  try {
    for (const { path, entry, name } of wanted) await restoreEntry(run, { folder: root, segments: [], path, entry, name });
    await makeLinks(run, root);
  } finally {
    await root.close();
  }
  const { files, writtenBytes, skipped } = run;
  return { files, writtenBytes, skipped, seconds: (performance.now() - startedAt) / 1000, warnings: run.warnings };
}

/** `/2/home/ada` → `ada`; the top of a disk or partition is named for it. */
function baseName(path: string): string {
  const parts = path.split('/').filter((part) => part !== '');
  return parts.at(-1) ?? 'disk';
}

interface Step {
  readonly folder: HeldFolder;
  /** Folders below the destination. */
  readonly segments: readonly string[];
  /** Path in the image. */
  readonly path: string;
  readonly entry: ExploreEntry;
  readonly name: string;
}

async function restoreEntry(run: Run, step: Step): Promise<void> {
  stopIfAborted(run.op);
  const problem = whyUnsafeName(step.name);
  if (problem !== null) return skip(run, step.path, `its name must not be written: ${problem}`);
  switch (step.entry.type) {
    case 'directory':
      return restoreFolder(run, step);
    case 'file':
      return restoreFile(run, step);
    case 'symlink':
      run.links.push({ segments: [...step.segments, step.name], entry: step.entry });
      return;
    case 'other':
      return skip(run, step.path, 'it is a device, socket or pipe');
  }
}

async function restoreFolder(run: Run, step: Step): Promise<void> {
  const { folder, segments, path, entry, name } = step;
  if (segments.length >= MAX_DEPTH) return skip(run, path, 'it is nested too deep');
  let inner: HeldFolder;
  try {
    inner = await folder.enter(name);
  } catch (error) {
    if (codeOf(error) !== 'ELOOP' && codeOf(error) !== 'ENOTDIR') throw error;
    return skip(run, path, 'something that is no folder has its name');
  }
  try {
    await restoreChildren(run, inner, step);
    await inner.setOwnMode(safeMode(entry.mode, 0o755));
    if (entry.modifiedAtMs !== null && isFileTime(entry.modifiedAtMs)) await inner.setOwnTimes(entry.modifiedAtMs);
  } finally {
    await inner.close();
  }
}

async function restoreChildren(run: Run, folder: HeldFolder, { segments, path, name }: Step): Promise<void> {
  try {
    for await (const entry of run.request.explorer.list(path)) {
      const inside = { folder, segments: [...segments, name], path: `${path.replace(/\/$/, '')}/${entry.name}` };
      await restoreEntry(run, { ...inside, entry, name: entry.name });
    }
  } catch (error) {
    if (!isAboutImage(error)) throw error;
    skip(run, path, `it cannot be listed: ${toFailure(error).detail}`);
  }
}

async function restoreFile(run: Run, { folder, path, entry, name }: Step): Promise<void> {
  const { explorer, overwrite } = run.request;
  try {
    const open = () => explorer.open(path);
    const { skipped } = await writeFile({ folder, name, entry, open, overwrite, onBytes: (count) => countBytes(run, count) });
    if (skipped !== null) return skip(run, path, skipped);
    run.files += 1;
  } catch (error) {
    if (!isAboutImage(error)) throw error;
    skip(run, path, `it cannot be read: ${toFailure(error).detail}`);
  }
}

function countBytes(run: Run, count: number): void {
  stopIfAborted(run.op);
  run.writtenBytes += count;
  if (run.writtenBytes > run.request.maxTotalBytes) {
    throw new AgentError('RESTORE_PATH_UNSAFE', `the image claims more than ${run.request.maxTotalBytes} bytes of files`);
  }
  const none = { newBytes: 0, storedBytes: 0, skippedBytes: 0 };
  run.op.onProgress?.({ phase: 'write', doneBytes: run.writtenBytes, totalBytes: run.writtenBytes, ...none });
}

/** Last, so that no file of the same image can be written through one. Parents are walked anew, as folders only. */
async function makeLinks(run: Run, root: HeldFolder): Promise<void> {
  const { symlinks, overwrite } = run.request;
  for (const { segments, entry } of run.links) {
    stopIfAborted(run.op);
    const shown = segments.join('/');
    const target = entry.linkTarget ?? '';
    if (symlinks === 'none') skip(run, shown, 'symbolic links were not asked for');
    else if (target === '' || target.includes('\0')) skip(run, shown, 'it is a link to nowhere');
    else if (symlinks === 'inside' && !staysInside(segments, target)) skip(run, shown, `it points outside (${target})`);
    else await makeLink(run, root, { segments, target, replace: overwrite === 'always' });
  }
}

async function makeLink(
  run: Run,
  root: HeldFolder,
  link: { segments: readonly string[]; target: string; replace: boolean },
): Promise<void> {
  const { segments, target, replace } = link;
  const held: HeldFolder[] = [];
  let folder = root;
  try {
    for (const name of segments.slice(0, -1)) {
      folder = await folder.enter(name);
      held.push(folder);
    }
    const name = segments.at(-1) ?? '';
    const there = await folder.look(name);
    if (there?.isSymbolicLink() && replace) await folder.remove(name);
    else if (there !== null) return skip(run, segments.join('/'), 'something of that name is there');
    await folder.makeLink(name, target);
    run.files += 1;
  } catch (error) {
    if (codeOf(error) !== 'ELOOP' && codeOf(error) !== 'ENOTDIR' && codeOf(error) !== 'ENAMETOOLONG') throw error;
    skip(run, segments.join('/'), 'the link cannot be made');
  } finally {
    for (const one of held) await one.close();
  }
}

function skip(run: Run, path: string, why: string): void {
  run.skipped += 1;
  if (run.warnings.length < MAX_WARNINGS) run.warnings.push(`${cleanText(path)} was left out: ${cleanText(why)}`);
}

/** Failures of this one file or folder of the image; everything else (disk full, vault gone, cancelled) ends the run. */
function isAboutImage(error: unknown): boolean {
  const code = codeOf(error) ?? '';
  return code.startsWith('FS_') || code === 'PATH_NOT_FOUND' || code === 'FILESYSTEM_UNKNOWN' || code === 'DISK_OUT_OF_RANGE';
}

function stopIfAborted(op: Operation): void {
  if (op.signal?.aborted) throw new AgentError('CANCELLED', '');
}
