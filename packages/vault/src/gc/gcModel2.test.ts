import { gcModel } from '../testing/gcModel.ts';

gcModel(1, 2);
