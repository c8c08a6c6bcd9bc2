import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { failureText, failureTexts } from './failures.ts';
import { inventoryShape } from './inventory.ts';
import { jobSpecShape } from './jobs.ts';
import { agentMessageShape, serverMessageShape } from './messages.ts';
import { cleanText } from './text.ts';

const inventory = {
  hostname: 'pc-1',
  os: { platform: 'linux', name: 'Debian', version: '12', kernel: '6.1', arch: 'x64' },
  hardware: { vendor: '', model: '', serial: '', cpu: '', cores: 2, memoryBytes: 1 },
  bootId: 'b',
  timeZone: 'UTC',
  canReadDisks: true,
  limitation: null,
  allowRemoteDiskWrites: true,
  diskFilesFolder: null,
  disks: [],
  takenAt: '2026-01-01T00:00:00.000Z',
};

describe('messages', () => {
  test('[P5] text of agents loses what can hide or reorder it, and its excess', () => {
    const hostile = `\u202Egnp.exe\u0000\u001b[31m${'x'.repeat(500)}`;
    const parsed = inventoryShape.parse({ ...inventory, hostname: hostile });
    expect(parsed.hostname).toHaveLength(253);
    for (const bad of ['\u0000', '\u001b', '\u202e']) expect(parsed.hostname).not.toContain(bad);
  });

  test('[P5] cleaning is idempotent and leaves well-formed text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 60 }),
        (text) => cleanText(cleanText(text)) === cleanText(text) && cleanText(text).isWellFormed(),
      ),
    );
  });

  test('[P4] unknown message types and extra-large lists are refused', () => {
    expect(agentMessageShape.safeParse({ type: 'run', command: 'rm' }).success).toBe(false);
    expect(
      agentMessageShape.safeParse({
        type: 'hello',
        inventory,
        running: Array.from({ length: 101 }, () => ({ jobId: randomUUID(), attempt: 1 })),
        done: [],
      }).success,
    ).toBe(false);
    expect(agentMessageShape.safeParse({ type: 'hello', inventory, running: [], done: [] }).success).toBe(true);
  });

  test('[P4] no server message carries a command line or code', () => {
    const types = serverMessageShape.options.map((option) => option.shape.type.value).sort();
    expect(types).toEqual(['ack', 'cancel', 'challenge', 'offer', 'refreshInventory', 'refusal', 'renewToken', 'welcome']);
  });

  test('[P7] a new disk file’s name cannot leave its folder', () => {
    const spec = (fileName: string) => ({
      kind: 'restore',
      vault: {
        vaultId: 'v',
        baseUrl: 'http://127.0.0.1:1',
        token: 't',
        keys: { idKey: 'AA==', publicKey: null, privateKey: null },
      },
      pointId: 'p',
      diskIndex: 0,
      target: { kind: 'newFile', fileName },
      planHash: '0'.repeat(64),
      writeGrant: 'x',
    });
    expect(jobSpecShape.safeParse(spec('disk-2.img')).success).toBe(true);
    for (const name of ['../x', '/etc/passwd', '.hidden', 'a/b', '', 'a\u0000b'])
      expect(jobSpecShape.safeParse(spec(name)).success).toBe(false);
  });
});

describe('failure texts', () => {
  test('every code has its three texts as sentences', () => {
    for (const [code, text] of Object.entries(failureTexts)) {
      expect(code).toMatch(/^[A-Z][A-Z0-9_]+$/);
      for (const part of [text.what, text.data, text.todo]) expect(part, code).toMatch(/^[A-Z`].*[.:]$/s);
    }
  });
  test('a code from a newer peer still gets texts', () => {
    expect(failureText('SOMETHING_NEW')).toBe(failureTexts.INTERNAL);
    expect(failureText('toString')).toBe(failureTexts.INTERNAL);
  });
});
