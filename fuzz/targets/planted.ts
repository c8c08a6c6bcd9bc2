/** Not one of `targetNames`: what the fuzzer is tested with. */
import { insist, type Target } from '../engine/target.ts';
import { PlantedError, parsePlanted } from '../planted/parser.ts';

export const target: Target = {
  run: async (subject) => {
    try {
      insist((await parsePlanted(subject.bytes())) >= 0, 'a number below zero');
    } catch (error) {
      if (!(error instanceof PlantedError)) throw error;
    }
  },
};
