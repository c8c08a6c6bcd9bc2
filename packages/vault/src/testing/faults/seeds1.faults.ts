import { playPart } from './seeds.ts';

playPart(0, 4);
