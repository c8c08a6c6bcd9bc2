import { gcModel } from '../testing/gcModel.ts';

gcModel(0, 2);
