import { playPart } from './seeds.ts';

playPart(2, 4);
