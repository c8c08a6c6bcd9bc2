import { ntfsReader } from '@diskfleet/filesystem/testing/parsers';
import type { Target } from '../engine/target.ts';
import { exerciseReader } from './exerciseFilesystem.ts';

export const target: Target = {
  run: (subject) => exerciseReader(ntfsReader, subject.device()),
};
