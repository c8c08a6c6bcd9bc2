export { type LogicalVolume, openPhysicalVolumes, type PhysicalVolume } from './assemble.ts';
