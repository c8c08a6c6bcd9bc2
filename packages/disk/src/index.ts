export { type BlockDevice, type Extent, readBytes, type WritableBlockDevice } from './blockDevice.ts';
export { DiskError, type DiskErrorCode } from './errors.ts';
export { openFileDevice } from './fileDevice.ts';
export { memoryDevice } from './memoryDevice.ts';
export { sliceDevice } from './sliceDevice.ts';
