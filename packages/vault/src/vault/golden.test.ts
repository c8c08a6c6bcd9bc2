/** Vaults written by the code that first shipped each format version open for ever. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { sha256 } from '../keys/derive.ts';
import { readPoint } from '../testing/sampleVault.ts';
import { openVault } from './openVault.ts';

const expectedShape = z.object({
  encryption: z.union([
    z.object({ kind: z.literal('none') }),
    z.object({ kind: z.literal('passphrase'), passphrase: z.string() }),
  ]),
  vaultId: z.string(),
  points: z.array(z.object({ header: z.looseObject({ id: z.string() }), sha256: z.string() })),
});

describe.each(['v1/encrypted', 'v1/plain'])('golden vault %s', (name) => {
  const path = fileURLToPath(new URL(`../testing/golden/${name}`, import.meta.url));
  const expected = expectedShape.parse(JSON.parse(readFileSync(`${path}.json`, 'utf8')));

  it('opens, lists, verifies and reads as on the day it was made', async () => {
    const vault = await openVault({ kind: 'directory', path }, expected.encryption);
    expect(vault.id).toBe(expected.vaultId);
    const { points, unreadable } = await vault.listPoints();
    expect(unreadable).toEqual([]);
    expect(points).toEqual(expected.points.map((point) => point.header));
    expect((await vault.verify({ level: 'content' })).damaged).toEqual([]);
    for (const point of expected.points) {
      const content = await readPoint(vault, point.header.id);
      expect(sha256(content).toString('hex')).toBe(point.sha256);
    }
    await vault.close();
  });
});
