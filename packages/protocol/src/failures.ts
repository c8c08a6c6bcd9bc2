/**
 * Every failure code of the product and what it means to a person. The code is stable for scripts; the texts may improve.
 * Four parts are shown: what failed (`what` + the detail of the moment), what it means for the data, what to do, the code.
 */
import { type FailureText, noHarm, sourceSafe, targetUntouched } from './failureWords.ts';
import { fleetFailures } from './fleetFailures.ts';

export type { FailureText } from './failureWords.ts';

export const failureTexts = {
  // disks
  DISK_NOT_FOUND: {
    what: 'The disk or file is not there.',
    data: noHarm,
    todo: 'Check that it is plugged in and spelled right; `diskfleet disks` lists what this PC has.',
  },
  DISK_ACCESS_DENIED: {
    what: 'This user may not open the disk.',
    data: noHarm,
    todo: 'Run the agent or command as root, or use files as disks.',
  },
  DISK_OUT_OF_RANGE: {
    what: 'Something pointed outside the disk.',
    data: sourceSafe,
    todo: 'The image or table is damaged, or this is a bug: verify the restore point and report the code.',
  },
  DISK_READ_FAILED: {
    what: 'The disk could not be read.',
    data: sourceSafe,
    todo: 'The disk may be failing: check its cable and SMART state, then back up with what still reads.',
  },
  DISK_WRITE_FAILED: {
    what: 'The target could not be written.',
    data: 'The target is incomplete and carries no valid partition table. The restore point is intact.',
    todo: 'Check or replace the target disk and restore again.',
  },
  DISK_FULL: {
    what: 'There is no room left where the target file lies.',
    data: 'The target is incomplete. The restore point is intact.',
    todo: 'Free space or choose another place, then restore again.',
  },
  DISK_BUSY: {
    what: 'The disk is in use.',
    data: targetUntouched,
    todo: 'Unmount its volumes or stop what holds it, then try again.',
  },
  DISK_WRONG_KIND: {
    what: 'This is neither a disk nor a regular file.',
    data: noHarm,
    todo: 'Name a disk such as /dev/sda, or a disk file; `diskfleet disks` lists what this PC has.',
  },
  DISK_READ_ONLY: {
    what: 'The disk is write-protected.',
    data: targetUntouched,
    todo: 'Remove the write protection or choose another disk.',
  },
  LIVE_UNSUPPORTED: {
    what: 'The disk is in use, and what is on it cannot be held still for a moment.',
    data: sourceSafe,
    todo: 'Unmount its volumes, run as root, or start the PC from the rescue medium. A backup that may be half old and half new is made only when you ask for it: under Advanced in the console, `--allow-inconsistent` in the command.',
  },
  FREEZE_FAILED: {
    what: 'The volumes of the disk could not be held still.',
    data: 'No volume is held now and no restore point was made. Earlier restore points are intact.',
    todo: 'Try again. When it stays so, look whether another program holds the volume (fsfreeze, a snapshot) or unmount it.',
  },
  TABLE_DAMAGED: {
    what: 'The partition table does not make sense.',
    data: sourceSafe,
    todo: 'Repair the table (for example with sgdisk), or back up sector by sector.',
  },
  TABLE_TOO_LARGE: { what: 'The partition table does not fit the disk.', data: targetUntouched, todo: 'Choose a larger target.' },
  TABLE_DOES_NOT_FIT: {
    what: 'The partition table does not fit the target.',
    data: targetUntouched,
    todo: 'Choose a larger target or one with the same sector size.',
  },
  // filesystems
  FS_DAMAGED: {
    what: 'A filesystem structure is damaged.',
    data: sourceSafe,
    todo: 'Check the filesystem on its PC; whole-disk restore of the point is not affected.',
  },
  FS_UNSUPPORTED: {
    what: 'This filesystem feature cannot be read yet.',
    data: sourceSafe,
    todo: 'The image holds all of it: restore the disk to reach the file.',
  },
  FS_TOO_LARGE: { what: 'A structure is larger than allowed.', data: sourceSafe, todo: 'Restore the disk to reach the content.' },
  FS_NOT_FOUND: {
    what: 'There is no such file in the image.',
    data: noHarm,
    todo: 'Check the path; it starts with the partition number, as in /2/home.',
  },
  FS_NOT_A_DIRECTORY: { what: 'This is a file, not a folder.', data: noHarm, todo: 'Open the folder that holds it.' },
  FS_NOT_A_FILE: { what: 'This is not a file.', data: noHarm, todo: 'Choose a file, or the folder to take all of it.' },
  FS_OUT_OF_RANGE: {
    what: 'Asked for bytes beyond the end of the file.',
    data: noHarm,
    todo: 'Ask for a range inside the file.',
  },
  FS_ENCRYPTED_FILE: {
    what: 'The file is encrypted by its own filesystem.',
    data: sourceSafe,
    todo: 'Restore the disk and open the file with its owner’s key.',
  },
  PARTITION_LEFT_OUT: {
    what: 'This partition is not part of the restore point.',
    data: 'The point was made of other partitions; it never held the content of this one.',
    todo: 'Choose a point that holds it: one of the whole disk, or of this partition.',
  },
  SYSTEM_NOT_FOUND: {
    what: 'No operating system was found.',
    data: noHarm,
    todo: 'Back up whole disks, or name the partitions to take.',
  },
  // vaults
  VAULT_NOT_FOUND: {
    what: 'There is no vault at this place.',
    data: noHarm,
    todo: 'Check the path or make one with `diskfleet vault create`.',
  },
  VAULT_EXISTS: { what: 'There is a vault at this place already.', data: noHarm, todo: 'Use it, or choose an empty folder.' },
  VAULT_TOO_NEW: {
    what: 'The vault was written by a newer Diskfleet.',
    data: 'The vault is intact; this version leaves it alone.',
    todo: 'Update Diskfleet on this machine.',
  },
  VAULT_DAMAGED: {
    what: 'The vault has damage.',
    data: 'Points that do not need the damaged object are intact.',
    todo: 'Run `diskfleet verify --data` to list exactly what is hurt. Take the damaged packs it names out of the vault: the next backup of the same data stores it anew.',
  },
  VAULT_KEY_NEEDED: {
    what: 'The key of this vault is needed to read it.',
    data: noHarm,
    todo: 'Give the passphrase or the recovery kit.',
  },
  VAULT_WRONG_PASSPHRASE: {
    what: 'The passphrase does not open this vault.',
    data: noHarm,
    todo: 'Try again; keyboard layout and capital letters matter. The recovery kit opens it too.',
  },
  VAULT_OBJECT_MISSING: {
    what: 'An object of the vault is missing.',
    data: 'Points that need it are hurt; all others are intact.',
    todo: 'Run `diskfleet verify` to see which points are hurt, and back up again to heal.',
  },
  VAULT_STORE_FAILED: {
    what: 'The vault’s storage reported an error.',
    data: 'Earlier restore points are intact; this run made none.',
    todo: 'Check the storage (permissions, cable, network share), then run again: what was stored is reused.',
  },
  VAULT_FULL: {
    what: 'The vault’s storage is full.',
    data: 'Earlier restore points are intact; this run made none.',
    todo: 'Free space or move the vault to a larger disk, then run again: what was stored is reused.',
  },
  VAULT_UNREACHABLE: {
    what: 'The vault cannot be reached.',
    data: 'Earlier restore points are intact; this run made none.',
    todo: 'Check the vault service and the network, then run again: what was stored is reused.',
  },
  VAULT_REFUSED: {
    what: 'The vault refused the request.',
    data: noHarm,
    todo: 'A portable file is never changed: import it first. A vault service refuses permissions that are missing, too old or for another vault: start the job again from the console.',
  },
  TOOL_MISSING: {
    what: 'A program that this needs is not installed.',
    data: 'Nothing was written.',
    todo: 'Install it and run again, or export to .raw, which needs none.',
  },
  EXPORT_FAILED: {
    what: 'The image could not be made.',
    data: 'The restore point is not touched; nothing is left of the image.',
    todo: 'Look at what the tool said: the format may not hold a disk of this size. Export to .raw holds any.',
  },
  PORTABLE_EXISTS: {
    what: 'A file of this name exists already.',
    data: noHarm,
    todo: 'Choose another name, or remove the file and its parts first.',
  },
  PORTABLE_INCOMPLETE: {
    what: 'The portable file is not whole.',
    data: 'Nothing was written; the vault it was made from is not touched by this.',
    todo: 'Put all its parts into one folder, copied as a whole, or export the restore point again.',
  },
  PORTABLE_DAMAGED: {
    what: 'The portable file is damaged, or is no file of Diskfleet.',
    data: 'Nothing was written; the vault it was made from is not touched by this.',
    todo: 'Copy it again from where it came from, or export the restore point again.',
  },
  VAULT_OBJECT_LOCKED: {
    what: 'The bucket’s object lock does not allow this deletion yet.',
    data: 'Nothing was removed that is needed; what is locked stays.',
    todo: 'Run the clean-up again when the retention is over.',
  },
  VAULT_QUOTA: {
    what: 'The vault may not hold more: its quota is used up.',
    data: 'Earlier restore points are intact; this run made none. What it stored is kept and reused.',
    todo: 'Raise the quota under Storage, or remove restore points, then run again.',
  },
  VAULT_RETAINED: {
    what: 'The vault keeps this restore point for now: it is younger than the minimum retention.',
    data: 'Nothing was removed.',
    todo: 'Remove it when its time is over. An admin can shorten the retention; that takes effect after the deletion delay.',
  },
  VAULT_SWEPT: {
    what: 'The vault was cleaned up while this run was cut off from it.',
    data: 'Earlier restore points are intact; this run made none.',
    todo: 'Run the backup again: what is still in the vault is reused.',
  },
  VAULT_TOO_OLD: {
    what: 'The vault was made before clean-up existed.',
    data: noHarm,
    todo: 'Points can be removed; to get space back, start a new vault and delete this one when its points are no longer needed.',
  },
  POINT_NOT_FOUND: {
    what: 'There is no such restore point.',
    data: noHarm,
    todo: '`diskfleet points` lists what the vault holds.',
  },
  POINT_DAMAGED: {
    what: 'The restore point’s manifest is damaged or was changed.',
    data: 'Only this point is affected.',
    todo: 'Use another point of the same disk and run a backup.',
  },
  CHUNK_MISSING: {
    what: 'Data of the restore point is missing in the vault.',
    data: 'Points that share this data are hurt; `verify` names them.',
    todo: 'Use another point; the next backup of the same data heals it.',
  },
  CHUNK_DAMAGED: {
    what: 'Data of the restore point is damaged.',
    data: 'It was detected and not used. Points that share it are hurt; `verify` names them.',
    todo: 'Use another point; check the vault’s disk.',
  },
  // engine
  SOURCE_EMPTY: { what: 'There is nothing to back up.', data: noHarm, todo: 'Choose a disk that has a size above zero.' },
  SOURCE_CHANGED_SIZE: {
    what: 'The source changed its size while it was read.',
    data: sourceSafe,
    todo: 'Run the backup again when nothing resizes the disk.',
  },
  LIVE_VIEW_LOST: {
    what: 'No picture of one moment could be taken of a disk in use.',
    data: sourceSafe,
    todo: 'Run the backup when the PC writes less, or start it from the rescue medium; allowing an inconsistent image is the last resort.',
  },
  TARGET_TOO_SMALL: {
    what: 'The target is too small.',
    data: targetUntouched,
    todo: 'Choose a target of at least the size named.',
  },
  TARGET_SECTOR_MISMATCH: {
    what: 'Source and target use different sector sizes.',
    data: targetUntouched,
    todo: 'Choose a target with the same sector size: filesystems are built for one.',
  },
  TARGET_CHANGED: {
    what: 'The target is not as it was when you confirmed the plan.',
    data: targetUntouched,
    todo: 'Make the plan again and look at what would be lost now.',
  },
  TARGET_IN_USE: {
    what: 'The target is mounted or held by something.',
    data: targetUntouched,
    todo: 'Unmount its volumes, then make the plan again.',
  },
  TARGET_IS_SYSTEM_DISK: {
    what: 'The target is the disk this PC runs from.',
    data: targetUntouched,
    todo: 'Start the PC from the rescue medium to restore its system disk.',
  },
  TARGET_IS_SOURCE: { what: 'Source and target are the same disk.', data: targetUntouched, todo: 'Choose another target.' },
  PLAN_NOT_CONFIRMED: {
    what: 'The plan was not confirmed.',
    data: targetUntouched,
    todo: 'Show the plan first, then confirm it with its hash.',
  },
  PLAN_CHANGED: {
    what: 'The plan made on the PC differs from the one confirmed.',
    data: targetUntouched,
    todo: 'Make the plan again and confirm what it says now.',
  },
  PLAN_DOES_NOT_FIT: { what: 'The restore does not fit this target.', data: targetUntouched, todo: 'Choose another target.' },
  PLAN_EXPIRED: {
    what: 'The plan is older than 15 minutes.',
    data: targetUntouched,
    todo: 'Make the plan again: the target may have changed since.',
  },
  COMPARE_FAILED: {
    what: 'What was written does not read back the same.',
    data: 'The target is not trustworthy and carries no valid partition table. The restore point is intact.',
    todo: 'Replace the target disk and restore again.',
  },
  DISK_NOT_IN_POINT: {
    what: 'The restore point holds no such disk.',
    data: noHarm,
    todo: 'Disks of a point are counted from 0; most points hold one.',
  },
  PATH_NOT_FOUND: {
    what: 'There is no such path in the image.',
    data: noHarm,
    todo: 'Paths start with the partition number, as in /2/home; `explore ls /` lists them.',
  },
  PARTITION_NOT_FOUND: { what: 'The image has no such partition.', data: noHarm, todo: '`explore ls /` lists the partitions.' },
  FILESYSTEM_UNKNOWN: {
    what: 'The partition’s filesystem cannot be browsed yet.',
    data: 'It is saved whole and restores whole.',
    todo: 'Restore the disk to reach its files.',
  },
  CANCELLED: {
    what: 'The run was cancelled.',
    data: 'Earlier restore points are intact; an interrupted restore leaves its target without a valid partition table.',
    todo: 'Start it again when you like: what was stored is reused.',
  },
  WORKER_FAILED: {
    what: 'A worker stopped unexpectedly.',
    data: 'Restore points are intact. A backup that stopped made none; the target of a restore that stopped is incomplete and carries no partition table.',
    todo: 'Run again; if it repeats, report it with the run log.',
  },
  ...fleetFailures,
} as const satisfies Record<string, FailureText>;

export type FailureCode = keyof typeof failureTexts;

/** Texts for a code; an unknown code (from a newer peer) gets those of INTERNAL. */
export function failureText(code: string): FailureText {
  return isFailureCode(code) ? failureTexts[code] : failureTexts.INTERNAL;
}

export function isFailureCode(code: string): code is FailureCode {
  return Object.hasOwn(failureTexts, code);
}
