export * as handMadeVolumes from '../recognise/testing/handMade.ts';
export { codedOnly, exercise, isCoded } from './exercise.ts';
export { expectCode, type FilesystemFixture, filesystemContract } from './filesystemContract.ts';
export { failingDevice, guardedDevice } from './guardedDevice.ts';
export { type LayoutFixture, layoutContract } from './layoutContract.ts';
export { type MutationOptions, mutationContract, seededRandom } from './mutationContract.ts';
export { parseDomainMap, partcloneUsedExtents } from './partclone.ts';
export { describeNeeding, lacking, makeScratch, runTool, type Scratch } from './scratch.ts';
export { expectSameTree, type Tree, type TreeEntry, treeOfFilesystem, treeOfFolder } from './tree.ts';
