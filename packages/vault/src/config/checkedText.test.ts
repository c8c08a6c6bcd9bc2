import { expect, test } from 'vitest';
import { openText, sealText } from './checkedText.ts';
import { decodeConfig } from './config.ts';

test('[F2] a text comes back; one byte more, less or different is damage', () => {
  const bytes = sealText({ a: 1 });
  expect(openText(bytes, 'keys/x')).toEqual({ a: 1 });
  for (const wrong of [Buffer.concat([bytes, Buffer.from('\n')]), bytes.subarray(1), bytes.subarray(0, -1), Buffer.alloc(0)]) {
    expect(() => openText(wrong, 'keys/x')).toThrow(expect.objectContaining({ code: 'VAULT_DAMAGED' }));
  }
});

test('[F2] an object far too large is refused before it becomes text, which would fail without a code', () => {
  const huge = Buffer.alloc(2 ** 29 + 1, '{');
  expect(() => decodeConfig(huge)).toThrow(expect.objectContaining({ code: 'VAULT_DAMAGED' }));
  expect(() => openText(huge, 'sessions/x')).toThrow(expect.objectContaining({ code: 'VAULT_DAMAGED' }));
});
