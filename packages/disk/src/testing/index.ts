/** The second door: what tests of this and other packages share. Never imported by product code. */
export { type BlockDeviceUnderTest, blockDeviceContract } from './blockDeviceContract.ts';
export { emptyDevice } from './emptyDevice.ts';
export { type LoopDevice, loopDevice } from './loopDevice.ts';
export { missingNeeds, titled } from './missingNeeds.ts';
