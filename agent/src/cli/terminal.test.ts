/** At a terminal: a real pseudo-terminal, made by util-linux `script`, because that is where prompts and bars can go wrong. */
import { spawn } from 'node:child_process';
import { accessSync } from 'node:fs';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundleDiskfleet, bundlePath, removeBundle } from '../testing/runDiskfleet.ts';

const script = '/usr/bin/script';
const hasScript = (() => {
  try {
    accessSync(script);
    return true;
  } catch {
    return false;
  }
})();

if (!hasScript && process.env.CI) {
  test('at a terminal', () => {
    throw new Error('this machine lacks script (util-linux)');
  });
}

describe.skipIf(!hasScript)(`at a terminal${hasScript ? '' : ' (skipped: this machine lacks script)'}`, () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'diskfleet-tty-'));
    await bundleDiskfleet();
    await writeFile(join(folder, 'disk.img'), Buffer.alloc(4 << 20, 'x'));
    await truncate(join(folder, 'disk.img'), 8 << 20);
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
    await removeBundle();
  });

  /** Types each answer once its question is on the screen. */
  function type(args: readonly string[], answers: readonly (readonly [question: string, answer: string])[], env = {}) {
    const command = [process.execPath, bundlePath(), ...args].map((word) => `'${word}'`).join(' ');
    const child = spawn(script, ['-qec', command, '/dev/null'], {
      cwd: folder,
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let screen = '';
    let next = 0;
    child.stdout.setEncoding('utf8').on('data', (text) => {
      screen += text;
      const answer = answers[next];
      if (answer !== undefined && screen.includes(answer[0])) {
        next += 1;
        setTimeout(() => child.stdin.write(answer[1]), 100);
      }
    });
    return new Promise<{ code: number | null; screen: string }>((resolve) =>
      child.on('close', (code) => resolve({ code, screen })),
    );
  }

  test('a passphrase is asked twice, never shown, and opens the vault', async () => {
    const made = await type(
      ['vault', 'create', 'v'],
      [
        ['new vault: ', 'open sesame\r'],
        ['again: ', 'open sesame\r'],
      ],
    );
    expect([made.code, made.screen.includes('sesame')]).toEqual([0, false]);
    const saved = await type(['backup', 'disk', 'disk.img', '--vault', 'v'], [['of the vault: ', 'open sesame\r']]);
    expect([saved.code, saved.screen.includes('sesame')]).toEqual([0, false]);
    expect(saved.screen).toContain('is made and durable');
    const wrong = await type(['backup', 'disk', 'disk.img', '--vault', 'v'], [['of the vault: ', 'nonsense\r']]);
    expect(wrong.code).toBe(1);
    expect(wrong.screen).toContain('VAULT_WRONG_PASSPHRASE');
  });

  test('two passphrases that differ make no vault', async () => {
    const made = await type(
      ['vault', 'create', 'w'],
      [
        ['new vault: ', 'one\r'],
        ['again: ', 'two\r'],
      ],
    );
    expect(made.code).toBe(1);
    expect(made.screen).toContain('differ');
  });

  test('a restore shows its plan, stops at any other answer, and goes on at the target’s name', async () => {
    const env = { DISKFLEET_PASSPHRASE: 'open sesame' };
    const args = ['restore', 'latest', '--to', 'back.img', '--vault', 'v'];
    const stopped = await type(args, [['to stop: ', 'yes\r']], env);
    expect(stopped.code).toBe(4);
    expect(stopped.screen).toContain('Type back.img to go on');
    expect(() => accessSync(join(folder, 'back.img'))).toThrow();
    const done = await type(args, [['to stop: ', 'back.img\r']], env);
    expect(done.code).toBe(0);
    expect(done.screen).toContain('Restored to');
  });

  test('Ctrl-C at a question exits 130', async () => {
    const { code, screen } = await type(['backup', 'disk', 'disk.img', '--vault', 'v'], [['of the vault: ', '\u0003']]);
    expect(code).toBe(130);
    expect(screen).toContain('CANCELLED');
  });

  test('colour is for terminals, and NO_COLOR switches it off', async () => {
    expect((await type(['inspect', 'absent'], [])).screen).toContain('\u001b[1;31m');
    expect((await type(['inspect', 'absent'], [], { NO_COLOR: '1' })).screen).not.toContain('\u001b[');
  });
});
