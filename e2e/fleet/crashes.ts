/**
 * kill -9 of agent, server and vault service, each in turn, at random moments of a backup. After each: the job ends in the truth,
 * points acknowledged earlier are listed, and every few rounds all of the vault is verified and a point restored bit by bit.
 * DISKFLEET_CRASH_ROUNDS sets the number of kills, DISKFLEET_CRASH_SEED replays a run. In parts, as most of a round is waiting:
 * two fleets beside each other are killed in half the time.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { noise, seeded, writeNoise } from '../images/content.ts';
import { type Fleet, type Member, online, startFleet } from './fleet.ts';
import type { Proc } from './process.ts';

const MIB = 1 << 20;
const DISK_MIB = 96;

const allRounds = Number(process.env.DISKFLEET_CRASH_ROUNDS ?? 102);
const seed = process.env.DISKFLEET_CRASH_SEED ?? String(Date.now());

let folder: string;
let fleet: Fleet;
let vaultId: string;
let member: Member;
let disk: string;
const diskKey = 'serial:CRASH-1';

const contentOf = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

/** Rewrites a quarter of the disk, so that every round has something to store. */
function changeSome(random: () => number, round: number): void {
  const file = openSync(disk, 'r+');
  for (let piece = 0; piece < DISK_MIB / 16; piece++) {
    const at = Math.floor(random() * (DISK_MIB / 4)) * 4 * MIB;
    writeSync(file, noise(4 * MIB, `${seed}-${round}-${piece}`), 0, 4 * MIB, at);
  }
  closeSync(file);
}

async function backUp() {
  return fleet.api.jobs.backupNow.mutate({ machineId: member.id, diskKeys: [diskKey], vaultId, method: 'incremental' });
}

async function restoresExactly(pointId: string, expected: string, name: string): Promise<void> {
  const planned = await fleet.api.restores.plan.mutate({
    pointId,
    diskIndex: 0,
    machineId: member.id,
    target: { kind: 'newFile', fileName: name },
  });
  const job = await fleet.api.restores.start.mutate({ planId: planned.planId, confirmText: planned.confirmText });
  const done = await fleet.waitJob(job.id);
  expect(done.failure).toBeNull();
  const restored = join(member.folder, 'disks', name);
  expect(contentOf(restored)).toBe(expected);
  rmSync(restored);
}

async function vaultIsSound(): Promise<void> {
  const job = await fleet.api.jobs.verify.mutate({ machineId: member.id, vaultId, level: 'content', pointId: null });
  const done = await fleet.waitJob(job.id);
  expect(done.failure).toBeNull();
  if (done.result?.kind !== 'verify') throw new Error('no verify result');
  expect(done.result.damaged).toEqual([]);
}

/** One fleet, and its share of the kills. */
export function killsLoseNothing(part: number, parts: number): void {
  const rounds = Math.ceil(allRounds / parts);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'diskfleet-crash-'));
    disk = join(folder, 'disk.img');
    writeNoise(disk, DISK_MIB * MIB, `crash-${seed}-${part}`);
    fleet = await startFleet();
    vaultId = await fleet.createVault();
    member = await fleet.addMember('crash', [{ path: disk, serial: 'CRASH-1' }]);
  });
  afterAll(async () => {
    await fleet?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const title = `${rounds} of ${allRounds} kills in the middle of backups lose nothing (seed ${seed})`;
  test(title, { timeout: 1_500_000 }, async () => {
    const random = seeded(`kills-${seed}-${part}`);
    const first = await fleet.waitJob((await backUp()).id);
    expect(first.failure).toBeNull();
    const longestMs = Math.max(600, Date.parse(first.endedAt ?? '') - Date.parse(first.createdAt));
    const points = new Map<string, string>([[first.pointId ?? '', contentOf(disk)]]);
    const victims: readonly Proc[] = [member.agent, fleet.server, fleet.vaultService];
    const endings: Record<string, number> = {};
    for (let round = 0; round < rounds; round++) {
      const victim = victims[round % victims.length];
      if (!victim) throw new Error('no victim');
      changeSome(random, round);
      const content = contentOf(disk);
      const job = await backUp();
      await sleep(random() * longestMs * 0.8);
      await victim.kill();
      await sleep(random() * 200);
      victim.start();
      await fleet.healthy();
      await online(fleet.api, member.id);
      const done = await fleet.waitJob(job.id);
      const ending = `${victim.name}: ${done.state}${done.failure ? ` ${done.failure.code}` : ''}`;
      endings[ending] = (endings[ending] ?? 0) + 1;
      const listed = (await fleet.api.points.list.query({ vaultId })).map((point) => point.id);
      for (const id of points.keys()) expect(listed, `round ${round}: point ${id} was acknowledged`).toContain(id);
      if (done.state === 'succeeded') {
        expect(listed).toContain(done.pointId);
        points.set(done.pointId ?? '', content);
      } else {
        // The truth about an interrupted run: it failed by name, and left no point behind.
        expect(done.state, JSON.stringify(done.failure)).toBe('failed');
        expect(done.failure?.code).toMatch(/^(AGENT_RESTARTED|VAULT_UNREACHABLE)$/);
      }
      expect(new Set(listed).size).toBe(points.size);
      if (round % 17 === 16 && round < rounds - 1) {
        await vaultIsSound();
        const [id, bytes] = [...points.entries()][Math.floor(random() * points.size)] ?? ['', ''];
        await restoresExactly(id, bytes, `check-${round}.img`);
      }
    }
    process.stdout.write(`endings: ${JSON.stringify(endings)}\n`);
    await vaultIsSound();
    const last = await fleet.waitJob((await backUp()).id);
    expect(last.failure).toBeNull();
    await restoresExactly(last.pointId ?? '', contentOf(disk), 'last.img');
  });
}
