/** The server's contract over the small world in memory. */
import {
  failureText,
  type JobDetail,
  type JobView,
  type OverviewView,
  type PointDetail,
  type RestorePlanView,
} from '@diskfleet/protocol';
import { initTRPC, TRPCError, tracked } from '@trpc/server';
import superjson from 'superjson';
import * as z from 'zod';
import { backupInput, planInput, planOf, pointDisks, sizesOf } from './backups.ts';
import { GiB } from './disks.ts';
import { emit, newId, simulate, startedJob, type World } from './world.ts';

class Refusal extends Error {}

const t = initTRPC.create({
  transformer: superjson,
  errorFormatter: ({ shape, error }) => {
    const code = error.cause instanceof Refusal ? error.cause.message : 'INTERNAL';
    const failure = { code, ...failureText(code), detail: error.cause instanceof Refusal ? '' : error.message };
    return { ...shape, data: { code: shape.data.code, httpStatus: shape.data.httpStatus, path: shape.data.path, failure } };
  },
});

function refuse(code: string): never {
  throw new TRPCError({ code: code === 'SIGN_IN_FAILED' ? 'UNAUTHORIZED' : 'BAD_REQUEST', cause: new Refusal(code) });
}

const user = { id: newId(), name: 'Ada Byron', email: 'ada@example.com', role: 'owner' as const };
const id = z.object({ id: z.string() });
const opened = { point: false };

export function fixtureRouter(world: World) {
  const machineOf = (key: string) => world.machines.find((machine) => machine.id === key) ?? refuse('NOT_FOUND');
  const pointOf = (key: string) => world.points.find((point) => point.id === key) ?? refuse('POINT_NOT_FOUND');
  const jobOf = (key: string) => world.jobs.find((job) => job.id === key) ?? refuse('NOT_FOUND');
  const patchMachine = (key: string, part: object) => {
    world.machines = world.machines.map((machine) => (machine.id === key ? { ...machine, ...part } : machine));
    emit(world, { kind: 'machine', machineId: key });
    return machineOf(key);
  };
  const run = (job: JobDetail, seconds: number, onDone: (job: JobDetail) => Partial<JobDetail>): JobView => {
    world.jobs = [job, ...world.jobs];
    simulate(world, job, seconds, onDone);
    return job;
  };
  const plans = new Map<string, RestorePlanView>();
  const p = t.procedure;
  return t.router({
    setup: t.router({
      status: p.query(() => ({ needsOwner: world.needsOwner })),
      createOwner: p
        .input(z.object({ token: z.string(), name: z.string(), email: z.string(), password: z.string() }))
        .mutation(() => {
          world.needsOwner = false;
          return user;
        }),
    }),
    auth: t.router({
      signIn: p.input(z.object({ email: z.string(), password: z.string() })).mutation(({ input }) => {
        if (input.password === 'wrong') refuse('SIGN_IN_FAILED');
        return { sid: 'sid', user };
      }),
      me: p.query(() => user),
      signOut: p.mutation(() => undefined),
    }),
    overview: t.router({ get: p.query(() => overview(world)) }),
    machines: t.router({
      list: p
        .input(z.object({ search: z.string().optional(), state: z.string().default('approved') }).default({ state: 'approved' }))
        .query(({ input }) =>
          world.machines
            .filter((machine) => input.state === 'all' || machine.state === input.state)
            .filter((machine) => machine.name.includes(input.search ?? ''))
            .map((machine) => ({
              ...machine,
              activeJobs: world.jobs.filter((job) => job.machineId === machine.id && job.state === 'running').length,
            })),
        ),
      get: p.input(id).query(({ input }) => machineOf(input.id)),
      approve: p
        .input(id)
        .mutation(({ input }) => patchMachine(input.id, { state: 'approved', approvedAt: new Date().toISOString() })),
      reject: p.input(id).mutation(({ input }) => {
        world.machines = world.machines.filter((machine) => machine.id !== input.id);
      }),
      revoke: p.input(id).mutation(({ input }) => {
        patchMachine(input.id, { state: 'revoked' });
      }),
      rename: p.input(id.extend({ name: z.string() })).mutation(({ input }) => patchMachine(input.id, { name: input.name })),
      refresh: p.input(id).mutation(({ input }) => machineOf(input.id)),
      createEnrolToken: p.input(z.object({ ttlMinutes: z.number(), autoApprove: z.boolean() })).mutation(() => ({
        token: 'dft_7Qm2xK9vLr',
        installLine: 'npx diskfleet enrol http://192.168.1.20:7301 dft_7Qm2xK9vLr4TzBn && npx diskfleet run',
        expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
      })),
    }),
    vaults: t.router({
      list: p.query(() => world.vaults),
      get: p.input(id).query(({ input }) => world.vaults.find((vault) => vault.id === input.id) ?? refuse('NOT_FOUND')),
      testFolder: p.input(z.object({ folder: z.string() })).mutation(({ input }) => {
        const bad = input.folder.startsWith('/root');
        return {
          ok: !bad,
          writable: !bad,
          megabytesPerSecond: bad ? null : 412,
          freeBytes: 812 * GiB,
          totalBytes: 960 * GiB,
          isEmpty: true,
          problem: bad ? 'The vault service may not write here.' : null,
        };
      }),
      create: p.input(z.object({ name: z.string(), folder: z.string() })).mutation(({ input }) => {
        const vault = {
          id: newId(),
          ...input,
          encryption: 'managed' as const,
          state: 'ready' as const,
          points: 0,
          storedBytes: 0,
          freeBytes: 812 * GiB,
          totalBytes: 960 * GiB,
          recoveryKitDownloadedAt: null,
          createdAt: new Date().toISOString(),
        };
        world.vaults = [...world.vaults, vault];
        return vault;
      }),
      recoveryKit: p.input(id.extend({ password: z.string() })).mutation(({ input }) => {
        if (input.password === 'wrong') refuse('SIGN_IN_FAILED');
        world.vaults = world.vaults.map((vault) =>
          vault.id === input.id ? { ...vault, recoveryKitDownloadedAt: new Date().toISOString() } : vault,
        );
        return { fileName: 'diskfleet-recovery-kit.txt', text: 'Keep this safe.\n' };
      }),
    }),
    points: t.router({
      list: p
        .input(z.object({ machineId: z.string().optional(), vaultId: z.string().optional() }).default({}))
        .query(({ input }) => world.points.filter((point) => !input.machineId || point.machineId === input.machineId)),
      get: p.input(id).query(({ input }) => pointOf(input.id)),
      setPinned: p
        .input(id.extend({ pinned: z.boolean() }))
        .mutation(({ input }) => patchPoint(world, input.id, { pinned: input.pinned })),
      setComment: p
        .input(id.extend({ comment: z.string() }))
        .mutation(({ input }) => patchPoint(world, input.id, { comment: input.comment })),
    }),
    explorer: t.router({
      list: p
        .input(
          z.object({
            pointId: z.string(),
            diskIndex: z.number(),
            path: z.string(),
            cursor: z.number().optional(),
            limit: z.number().default(500),
          }),
        )
        .query(({ input }) => {
          opened.point = true;
          const entries = input.path === '/' ? partitionEntries(pointOf(input.pointId)) : folderEntries(input.path);
          const from = input.cursor ?? 0;
          const end = from + input.limit;
          return {
            path: input.path,
            entries: entries.slice(from, end),
            nextCursor: end < entries.length ? end : null,
            total: entries.length,
          };
        }),
    }),
    jobs: t.router({
      list: p
        .input(
          z
            .object({
              machineId: z.string().optional(),
              states: z.array(z.string()).optional(),
              limit: z.number().optional(),
              cursor: z.string().nullish(),
            })
            .default({}),
        )
        .query(({ input }) => ({
          jobs: world.jobs.filter(
            (job) =>
              (!input.machineId || job.machineId === input.machineId) && (!input.states || input.states.includes(job.state)),
          ),
          nextCursor: null,
        })),
      get: p.input(id).query(({ input }) => jobOf(input.id)),
      planBackup: p.input(planInput).query(({ input }) => planOf(machineOf(input.machineId), input)),
      backupNow: p.input(backupInput).mutation(({ input }) => {
        const machine = machineOf(input.machineId);
        const made = pointDisks(machine, input);
        const names = made.map((disk) => disk.name).join(', ');
        return run(startedJob(machine, 'backup', `${names} → ${world.vaults[0]?.name}`), 14, () => {
          const point: PointDetail = {
            ...(world.points[0] ?? emptyPoint),
            id: newId(),
            kind: input.backupKind,
            method: input.method,
            machineId: machine.id,
            machineName: machine.name,
            source: names,
            createdAt: new Date().toISOString(),
            pinned: false,
            comment: '',
            warnings: [],
            verified: null,
            ...sizesOf(made),
            newBytes: 1.3 * GiB,
            storedBytes: 0.6 * GiB,
            disks: made,
            vaultId: input.vaultId,
            vaultName: world.vaults[0]?.name ?? '',
          };
          world.points = [point, ...world.points];
          emit(world, { kind: 'point', pointId: point.id });
          patchMachine(machine.id, {
            protection: 'protected',
            protectionReason: 'The newest restore point is new.',
            newestPointAt: point.createdAt,
          });
          const { sizeBytes: sourceBytes, usedBytes, newBytes, storedBytes } = point;
          return {
            pointId: point.id,
            result: {
              kind: 'backup',
              pointId: point.id,
              method: 'full',
              sourceBytes,
              usedBytes,
              readBytes: usedBytes,
              newBytes,
              storedBytes,
              seconds: 14,
              warnings: [],
            },
          };
        });
      }),
      verify: p
        .input(z.object({ machineId: z.string(), vaultId: z.string(), level: z.string(), pointId: z.string().nullable() }))
        .mutation(({ input }) =>
          run(startedJob(machineOf(input.machineId), 'verify', 'Restore point'), 6, () => ({
            result: { kind: 'verify', checkedBytes: 40 * GiB, checkedObjects: 900, damaged: [] },
          })),
        ),
      restoreFiles: p
        .input(
          z.object({
            machineId: z.string(),
            pointId: z.string(),
            diskIndex: z.number(),
            paths: z.array(z.string()),
            destination: z.string(),
            overwrite: z.string(),
          }),
        )
        .mutation(({ input }) =>
          run(
            startedJob(machineOf(input.machineId), 'restoreFiles', `${input.paths.length} items → ${input.destination}`),
            5,
            () => ({ result: { kind: 'restoreFiles', files: 12, writtenBytes: GiB, skipped: 0, seconds: 5, warnings: [] } }),
          ),
        ),
      cancel: p.input(id).mutation(({ input }) => {
        world.jobs = world.jobs.map((job) =>
          job.id === input.id ? { ...job, state: 'cancelled' as const, endedAt: new Date().toISOString() } : job,
        );
        return jobOf(input.id);
      }),
      retry: p
        .input(id)
        .mutation(({ input }) =>
          run(startedJob(machineOf(jobOf(input.id).machineId), 'backup', jobOf(input.id).subject), 10, () => ({})),
        ),
    }),
    restores: t.router({
      plan: p
        .input(
          z.object({
            pointId: z.string(),
            diskIndex: z.number(),
            machineId: z.string(),
            target: z.union([
              z.object({ kind: z.literal('disk'), diskKey: z.string() }),
              z.object({ kind: z.literal('newFile'), fileName: z.string() }),
            ]),
          }),
        )
        .mutation(({ input }) => {
          const machine = machineOf(input.machineId);
          const source = pointOf(input.pointId).disks[input.diskIndex] ?? refuse('DISK_NOT_FOUND');
          const { target } = input;
          const before =
            target.kind === 'disk'
              ? (machine.inventory.disks.find((disk) => disk.key === target.diskKey) ?? refuse('DISK_NOT_FOUND'))
              : null;
          const sizeBytes = before?.sizeBytes ?? (target.kind === 'newFile' ? 1e12 : 0);
          const fits = sizeBytes >= source.sizeBytes;
          const plan: RestorePlanView = {
            planId: newId(),
            planHash: '9f'.repeat(32),
            expiresAt: new Date(Date.now() + 900_000).toISOString(),
            fits,
            reasons: fits
              ? []
              : [{ code: 'TARGET_TOO_SMALL', text: `The target is smaller than the end of the last partition.` }],
            warnings: [
              {
                code: 'BOOT',
                text: 'The restored disk carries the same identifiers as the original: do not run both in one PC.',
              },
            ],
            pointId: input.pointId,
            diskIndex: input.diskIndex,
            source,
            machine: { id: machine.id, name: machine.name },
            targetBefore: before,
            target: {
              path: before?.path ?? `/srv/disks/${target.kind === 'newFile' ? target.fileName : ''}`,
              name: before?.name ?? (target.kind === 'newFile' ? target.fileName : ''),
              serial: before?.serial ?? '',
              sizeBytes,
              create: before === null,
            },
            partitions: source.partitions.map((part) => ({
              number: part.number,
              action:
                part.content === 'leftOut' && before?.serial === source.serial
                  ? ('keep' as const)
                  : before && before.partitions.length >= part.number
                    ? ('overwrite' as const)
                    : ('create' as const),
              fromBytes: part.sizeBytes,
              toBytes: part.sizeBytes,
              toStartBytes: part.startBytes,
              label: part.filesystem?.label || part.name,
              filesystem: part.filesystem?.kind ?? null,
            })),
            losses: (before?.partitions ?? []).map((part, index) => ({
              label: part.filesystem?.label || `Partition ${part.number}`,
              filesystem: part.filesystem?.kind ?? null,
              usedBytes: part.filesystem?.usedBytes ?? null,
              sizeBytes: part.sizeBytes,
              newestPoint:
                index === 0 && world.points[1] ? { id: world.points[1].id, createdAt: world.points[1].createdAt } : null,
            })),
            bootSteps: ['Keep the EFI system partition and its loader as they are in the restore point'],
            estimatedBytes: source.usedBytes,
            confirmText: before
              ? `${machine.name} ${before.serial.slice(-4)}`
              : `${machine.name} ${target.kind === 'newFile' ? target.fileName : ''}`,
          };
          plans.set(plan.planId, plan);
          return plan;
        }),
      get: p.input(z.object({ planId: z.string() })).query(({ input }) => plans.get(input.planId) ?? refuse('NOT_FOUND')),
      start: p.input(z.object({ planId: z.string(), confirmText: z.string() })).mutation(({ input }) => {
        const plan = plans.get(input.planId) ?? refuse('PLAN_EXPIRED');
        if (input.confirmText !== plan.confirmText) refuse('CONFIRMATION_WRONG');
        return run(startedJob(machineOf(plan.machine.id), 'restore', `${plan.source.name} → ${plan.target.name}`), 14, () => ({
          result: {
            kind: 'restore',
            writtenBytes: plan.estimatedBytes,
            skippedBytes: 0,
            comparedBytes: plan.estimatedBytes,
            seconds: 14,
            warnings: [],
          },
        }));
      }),
    }),
    audit: t.router({
      list: p
        .input(z.object({ limit: z.number().optional(), beforeSeq: z.number().optional() }).default({}))
        .query(() => ({ entries: auditEntries(), nextBeforeSeq: null })),
      verify: p.mutation(() => ({ ok: true, entries: 42, brokenAtSeq: null })),
    }),
    live: t.router({
      events: p.input(z.object({ lastEventId: z.string().nullish() }).default({})).subscription(async function* ({ signal }) {
        let wake = () => {};
        const queue: Parameters<Parameters<World['listeners']['add']>[0]>[0][] = [];
        const listen = (event: (typeof queue)[number]) => {
          queue.push(event);
          wake();
        };
        world.listeners.add(listen);
        try {
          for (let seq = 1; !signal?.aborted; seq += 1) {
            while (queue.length === 0 && !signal?.aborted)
              await new Promise<void>((resolve) => {
                wake = resolve;
              });
            const event = queue.shift();
            if (event) yield tracked(String(seq), event);
          }
        } finally {
          world.listeners.delete(listen);
        }
      }),
    }),
  });
}

function patchPoint(world: World, key: string, part: Partial<PointDetail>): PointDetail {
  world.points = world.points.map((point) => (point.id === key ? { ...point, ...part } : point));
  return world.points.find((point) => point.id === key) ?? refuse('POINT_NOT_FOUND');
}

const emptyPoint: PointDetail = {
  id: '',
  vaultId: '',
  vaultName: '',
  kind: 'disk',
  method: 'full',
  machineId: '',
  machineName: '',
  source: '',
  createdAt: '',
  sizeBytes: 0,
  usedBytes: 0,
  newBytes: 0,
  storedBytes: 0,
  pinned: false,
  comment: '',
  verified: null,
  disks: [],
  warnings: [],
};

function partitionEntries(point: PointDetail) {
  return (point.disks[0]?.partitions ?? []).map((part) => ({
    name: String(part.number),
    type: 'partition' as const,
    sizeBytes: part.sizeBytes,
    modifiedAt: null,
    linkTarget: null,
    description: [
      part.filesystem?.kind ?? part.typeName,
      part.filesystem?.label,
      part.content === 'leftOut' ? 'not part of this restore point' : null,
    ]
      .filter(Boolean)
      .join(' · '),
    browsable: part.content !== 'leftOut' && ['ext4', 'ntfs', 'vfat'].includes(part.filesystem?.kind ?? ''),
  }));
}

function folderEntries(path: string) {
  const modifiedAt = new Date(Date.now() - 86_400_000 * 3).toISOString();
  const folders = ['bin', 'boot', 'etc', 'home', 'lib', 'opt', 'root', 'srv', 'usr', 'var'].map((name) => ({
    name,
    type: 'directory' as const,
    sizeBytes: 0,
    modifiedAt,
    linkTarget: null,
    description: null,
    browsable: true,
  }));
  const count = path.split('/').length > 3 ? 1200 : 40;
  const files = Array.from({ length: count }, (_, index) => ({
    name: `report-${String(index + 1).padStart(4, '0')}.pdf`,
    type: 'file' as const,
    sizeBytes: (index + 1) * 48_221,
    modifiedAt,
    linkTarget: null,
    description: null,
    browsable: false,
  }));
  return [
    ...folders,
    ...files,
    {
      name: 'latest',
      type: 'symlink' as const,
      sizeBytes: 0,
      modifiedAt,
      linkTarget: 'report-0040.pdf',
      description: null,
      browsable: false,
    },
  ];
}

function auditEntries() {
  const rows = [
    ['Ada Byron', 'restores.start', 'atlas · sda', 'plan 9f9f9f9f'],
    ['Ada Byron', 'explorer.list', 'atlas · nvme0n1', '/3/home'],
    ['Ada Byron', 'jobs.backupNow', 'atlas', 'nvme0n1 → Office NAS'],
    ['Ada Byron', 'machines.approve', 'lab-07', 'SHA256:7f3a 91c4'],
    ['system', 'agents.enrol', 'lab-07', 'token dft_7Qm2'],
    ['Ada Byron', 'vaults.create', 'Office NAS', '/srv/vault'],
    ['Ada Byron', 'auth.signIn', 'ada@example.com', ''],
    ['system', 'setup.createOwner', 'ada@example.com', ''],
  ];
  return rows.map(([actor = '', action = '', subject = '', detail = ''], index) => ({
    seq: 42 - index,
    at: new Date(Date.now() - index * 3_900_000).toISOString(),
    actor,
    action,
    subject,
    detail,
  }));
}

function overview(world: World): OverviewView {
  const fleet = world.machines.filter((machine) => machine.state === 'approved');
  const count = (state: string) => fleet.filter((machine) => machine.protection === state).length;
  const pending = world.machines.length - fleet.length;
  const none = { machineId: null, jobId: null, vaultId: null };
  const days = [
    'ok',
    'ok',
    'ok',
    'warning',
    'ok',
    'ok',
    'ok',
    'none',
    'none',
    'ok',
    'ok',
    'failed',
    'ok',
    'ok',
    'ok',
    'ok',
    'overdue',
    'ok',
    'ok',
    'ok',
    'ok',
    'ok',
    'none',
    'ok',
    'ok',
    'ok',
    'warning',
    'ok',
    'failed',
    'ok',
  ] as const;
  return {
    counts: {
      protected: count('protected'),
      atRisk: count('at-risk'),
      overdue: count('overdue'),
      never: count('never'),
      paused: 0,
      offline: fleet.filter((machine) => machine.connection === 'offline').length,
      pending,
      total: fleet.length,
    },
    attention: [
      ...fleet
        .filter((machine) => machine.protection !== 'protected')
        .map((machine) => ({
          ...none,
          kind:
            machine.protection === 'at-risk'
              ? ('failed' as const)
              : machine.protection === 'never'
                ? ('never' as const)
                : ('overdue' as const),
          text: `${machine.name}: ${machine.protectionReason}`,
          machineId: machine.id,
          jobId: machine.protection === 'at-risk' ? (world.jobs[1]?.id ?? null) : null,
        })),
      ...(pending > 0 ? [{ ...none, kind: 'pending' as const, text: `${pending} machine waits for approval.` }] : []),
    ],
    days: days.map((state, index) => ({
      day: new Date(Date.now() - (29 - index) * 86_400_000).toISOString().slice(0, 10),
      state: world.points.length ? state : 'none',
      points: state === 'ok' ? 4 : state === 'none' ? 0 : 2,
      failed: state === 'failed' ? 1 : 0,
    })),
    storage: {
      storedBytes: world.points.length ? 412 * GiB : 0,
      protectedBytes: world.points.length ? 6.2 * 1024 * GiB : 0,
      freeBytes: 1.31 * 1024 * GiB,
      daysUntilFull: world.points.length ? 143 : null,
      vaults: world.vaults.length,
    },
    runningJobs: world.jobs.filter((job) => job.state === 'running'),
    recentJobs: world.jobs.slice(0, 6),
    checklist: {
      vault: world.vaults.length > 0,
      recoveryKit: world.vaults.some((vault) => vault.recoveryKitDownloadedAt !== null),
      machine: fleet.length > 0,
      firstPoint: world.points.length > 0,
      openedPoint: opened.point,
    },
  };
}
