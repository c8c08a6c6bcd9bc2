export { FilesystemError, type FilesystemErrorCode } from './errors.ts';
export type {
  DirectoryEntry,
  EntryType,
  FileExtent,
  FileLayout,
  FileReader,
  Filesystem,
  FilesystemInfo,
  FilesystemKind,
  NamedStream,
  UsedMap,
  VolatileFile,
} from './filesystem.ts';
export { type LogicalVolume, openPhysicalVolumes, type PhysicalVolume } from './lvm/index.ts';
export { openFilesystem } from './readers.ts';
export { type RecognisedVolume, recogniseVolume } from './recognise/recogniseVolume.ts';
