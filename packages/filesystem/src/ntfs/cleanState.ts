/**
 * Whether Windows left the volume in order: the dirty flag of $Volume, the restart area of $LogFile, and a hiberfil.sys that
 * holds a frozen system (hibernation, or "fast startup" after a shutdown).
 */
import { isDamage } from '../soundParts.ts';
import { ATTRIBUTE } from './attribute.ts';
import { walkDirectory } from './directoryIndex.ts';
import { openAttribute } from './fileContent.ts';
import type { Mft } from './mft.ts';

const RECORD = { logFile: 2, volume: 3, root: 5 } as const;
const VOLUME_IS_DIRTY = 1;
const LOG_PAGE_BYTES = 4096;
const LOG_IS_CLEAN = 2;
const NO_CLIENT = 0xffff;
const HIBERNATION_FILE = 'hiberfil.sys';

/** Empty when there is none or it cannot be read. */
export async function readLabel(mft: Mft): Promise<string> {
  return orWhenDamaged('', async () => {
    const name = await mft.attribute(await mft.record(RECORD.volume), ATTRIBUTE.volumeName);
    return name?.resident ? name.value.toString('utf16le').toWellFormed() : '';
  });
}

/** What cannot be read counts as not clean. */
export async function readClean(mft: Mft): Promise<boolean> {
  return orWhenDamaged(false, async () => !(await isDirty(mft)) && (await isLogClean(mft)) && !(await isHibernated(mft)));
}

async function orWhenDamaged<T>(fallback: T, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (isDamage(error)) return fallback;
    throw error;
  }
}

async function isDirty(mft: Mft): Promise<boolean> {
  const information = await mft.attribute(await mft.record(RECORD.volume), ATTRIBUTE.volumeInformation);
  if (!information?.resident || information.value.length < 12) return true;
  return (information.value.readUInt16LE(10) & VOLUME_IS_DIRTY) !== 0;
}

/** The newer of the two restart pages says whether anyone still had the volume open. A log of 0xFF bytes was emptied: clean. */
async function isLogClean(mft: Mft): Promise<boolean> {
  const record = await mft.record(RECORD.logFile);
  const attribute = await mft.attribute(record, ATTRIBUTE.data);
  if (attribute === null) return true;
  const log = await openAttribute(mft, record, attribute);
  const pages = Buffer.alloc(Math.min(log.sizeBytes, 2 * LOG_PAGE_BYTES));
  await log.read(0, pages);
  if (pages.every((byte) => byte === 0xff)) return true;
  const restarts = [restartArea(pages, 0), restartArea(pages, LOG_PAGE_BYTES)].filter((area) => area !== null);
  const newest = restarts.reduce((best, area) => (best === null || area.lsn > best.lsn ? area : best), restarts[0] ?? null);
  return newest?.clean ?? false;
}

function restartArea(pages: Buffer, offset: number): { lsn: bigint; clean: boolean } | null {
  if (!['RSTR', 'CHKD'].includes(pages.toString('latin1', offset, offset + 4))) return null;
  if (offset + 26 > pages.length) return null;
  const area = offset + pages.readUInt16LE(offset + 24);
  if (area + 16 > pages.length) return null;
  const clean = pages.readUInt16LE(area + 12) === NO_CLIENT || (pages.readUInt16LE(area + 14) & LOG_IS_CLEAN) !== 0;
  return { lsn: pages.readBigUInt64LE(area), clean };
}

/** A zeroed header means the frozen system was resumed or dropped. */
async function isHibernated(mft: Mft): Promise<boolean> {
  const root = await mft.record(RECORD.root);
  for await (const { nameBytes, reference } of walkDirectory(mft, root)) {
    if (nameBytes.toString('utf16le').toLowerCase() !== HIBERNATION_FILE) continue;
    const file = await mft.file(reference);
    const attribute = await mft.attribute(file, ATTRIBUTE.data);
    if (attribute === null || attribute.sizeBytes < 4) return false;
    const head = Buffer.alloc(4);
    await (await openAttribute(mft, file, attribute)).read(0, head);
    return head.toString('latin1').toLowerCase() === 'hibr';
  }
  return false;
}
