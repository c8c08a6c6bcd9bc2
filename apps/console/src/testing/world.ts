/** A small fleet in memory for storyboards and development: it moves like the real one, and is no part of the product. */
import type {
  JobDetail,
  JobProgress,
  JobView,
  LiveEvent,
  MachineView,
  PointDetail,
  PointDisk,
  VaultView,
} from '@diskfleet/protocol';
import {
  fileDisks,
  GiB,
  inventory,
  laptopDisks,
  linux,
  lvmDisk,
  MiB,
  pointDisk,
  usedBytes,
  windows,
  workstationDisks,
} from './disks.ts';

const hours = (count: number) => new Date(Date.now() - count * 3_600_000).toISOString();
let counter = 100;
export const newId = () => `00000000-0000-4000-8000-${String(counter++).padStart(12, '0')}`;

type MachineSeed = Pick<
  MachineView,
  'name' | 'state' | 'connection' | 'protection' | 'protectionReason' | 'newestPointAt' | 'inventory'
>;

function machine(seed: MachineSeed): MachineView {
  const { inventory: report } = seed;
  return {
    ...seed,
    id: newId(),
    hostname: report.hostname,
    os: `${report.os.name} ${report.os.version}`,
    lastSeenAt: seed.connection === 'online' ? hours(0) : hours(76),
    disks: report.disks.length,
    totalBytes: report.disks.reduce((sum, disk) => sum + disk.sizeBytes, 0),
    activeJobs: 0,
    keyFingerprint: 'SHA256:7f3a 91c4 0be2 d85d',
    agentVersion: '0.1.0',
    limitation: report.limitation,
    enrolledAt: hours(24 * 40),
    approvedAt: seed.state === 'pending' ? null : hours(24 * 40),
  };
}

const devPc = machine({
  name: 'devbox',
  state: 'pending',
  connection: 'online',
  protection: 'never',
  protectionReason: 'No backup has been made yet.',
  newestPointAt: null,
  inventory: {
    ...inventory('devbox', linux, fileDisks),
    canReadDisks: false,
    limitation: 'The agent does not run as root: only files in its disk-files folder can be backed up.',
  },
});
const atlas = machine({
  name: 'atlas',
  state: 'approved',
  connection: 'online',
  protection: 'protected',
  protectionReason: 'The newest restore point is 2 hours old.',
  newestPointAt: hours(2),
  inventory: inventory('atlas.office.lan', linux, [...workstationDisks, lvmDisk]),
});
const finch = machine({
  name: 'finch-laptop',
  state: 'approved',
  connection: 'offline',
  protection: 'overdue',
  protectionReason: 'No backup for 9 days; the last contact was 3 days ago.',
  newestPointAt: hours(216),
  inventory: inventory('FINCH-LAPTOP', windows, laptopDisks),
});
const reception = machine({
  name: 'reception-pc',
  state: 'approved',
  connection: 'online',
  protection: 'never',
  protectionReason: 'No backup has been made yet.',
  newestPointAt: null,
  inventory: inventory('RECEPTION-PC', windows, laptopDisks),
});
const lab = machine({
  name: 'lab-07',
  state: 'approved',
  connection: 'online',
  protection: 'at-risk',
  protectionReason: 'The last run failed; the newest restore point is 26 hours old.',
  newestPointAt: hours(26),
  inventory: inventory('lab-07', linux, fileDisks),
});

const vault: VaultView = {
  id: newId(),
  name: 'Office NAS',
  folder: '/srv/vault',
  encryption: 'managed',
  state: 'ready',
  points: 0,
  storedBytes: 412 * GiB,
  freeBytes: 1.31 * 1024 * GiB,
  totalBytes: 2 * 1024 * GiB,
  recoveryKitDownloadedAt: hours(24 * 39),
  createdAt: hours(24 * 40),
};

function point(owner: MachineView, ageHours: number, method: PointDetail['method'], newBytes: number): PointDetail {
  const source = owner.inventory.disks[0];
  if (!source) throw new Error('a machine without disks');
  return {
    id: newId(),
    vaultId: vault.id,
    vaultName: vault.name,
    kind: ageHours === 26 ? 'system' : 'disk',
    method,
    machineId: owner.id,
    machineName: owner.name,
    source: `${source.name} · ${source.model}`,
    createdAt: hours(ageHours),
    sizeBytes: source.sizeBytes,
    usedBytes: usedBytes(source),
    newBytes,
    storedBytes: Math.round(newBytes * 0.46),
    pinned: ageHours > 700,
    comment: ageHours > 700 ? 'Before the move to the new office' : '',
    verified: ageHours < 60 ? { at: hours(ageHours - 1), ok: true } : null,
    disks: [ageHours === 26 ? withoutProjects(pointDisk(source)) : pointDisk(source)],
    warnings: ageHours === 2 ? ['The filesystem on partition 4 (Projects) was in use; its state is that of a power cut.'] : [],
  };
}

function withoutProjects(disk: PointDisk): PointDisk {
  return {
    ...disk,
    partitions: disk.partitions.map((part) => (part.number === 4 ? { ...part, content: 'leftOut' as const } : part)),
  };
}

function job(owner: MachineView, seed: Partial<JobDetail> & Pick<JobDetail, 'kind' | 'state' | 'subject'>): JobDetail {
  return {
    id: newId(),
    machineId: owner.id,
    machineName: owner.name,
    attempt: 1,
    createdAt: hours(2.2),
    createdBy: 'Ada Byron',
    startedAt: hours(2.2),
    endedAt: null,
    lostContact: false,
    progress: null,
    result: null,
    failure: null,
    pointId: null,
    log: [],
    ...seed,
  };
}

export interface World {
  needsOwner: boolean;
  machines: MachineView[];
  vaults: VaultView[];
  points: PointDetail[];
  jobs: JobDetail[];
  listeners: Set<(event: LiveEvent) => void>;
}

export function emptyWorld(): World {
  return { needsOwner: true, machines: [devPc], vaults: [], points: [], jobs: [], listeners: new Set() };
}

export function fleetWorld(): World {
  const points = [
    point(atlas, 2, 'incremental', 3.1 * GiB),
    ...Array.from({ length: 14 }, (_, day) => point(atlas, 26 + day * 24, 'incremental', (1.2 + ((day * 7) % 5)) * GiB)),
    point(lab, 26, 'incremental', 220 * MiB),
    point(lab, 50, 'full', 3.7 * GiB),
    point(finch, 216, 'incremental', 6.4 * GiB),
    point(finch, 384, 'full', 288 * GiB),
    point(atlas, 740, 'full', 424 * GiB),
  ].sort((a, b) => b.createdAt.localeCompare(a.createdAt));
  const newest = points[0];
  const jobs = [
    job(atlas, {
      kind: 'backup',
      state: 'succeeded',
      subject: 'nvme0n1 → Office NAS',
      endedAt: hours(2),
      pointId: newest?.id ?? null,
      result: {
        kind: 'backup',
        pointId: newest?.id ?? '',
        method: 'incremental',
        sourceBytes: 1e12,
        usedBytes: 424 * GiB,
        readBytes: 424 * GiB,
        newBytes: 3.1 * GiB,
        storedBytes: 1.43 * GiB,
        seconds: 486,
        warnings: [
          'nvme0n1 is mounted at /mnt/projects: what changes while it is read may be saved half old, half new.',
          'partition 4: its filesystem was in use or not shut down cleanly; after a restore it needs the check its system makes at start',
        ],
      },
      log: [
        { at: hours(2.2), level: 'info', text: 'Reading nvme0n1 (GPT, 5 partitions)' },
        { at: hours(2.19), level: 'info', text: 'Building on restore point 01JD7QZK of 2026-11-21T22:00:00.000Z.' },
        { at: hours(2.18), level: 'info', text: 'nvme0n1: writes were counted since 01JD7QZK; 3.1 GiB of 424 GiB are read.' },
        { at: hours(2.1), level: 'info', text: '12 MiB changed meanwhile and are read again.' },
        { at: hours(2.08), level: 'info', text: 'Held still for 0.12 s; 256 KiB were read meanwhile.' },
        { at: hours(2.05), level: 'warning', text: 'The filesystem on partition 4 (Projects) was in use' },
        { at: hours(2), level: 'info', text: 'Restore point written: 3.10 GiB new, 1.43 GiB stored' },
      ],
    }),
    job(lab, {
      kind: 'backup',
      state: 'failed',
      subject: 'demo-disk.img → Office NAS',
      createdAt: hours(5),
      startedAt: hours(5),
      endedAt: hours(4.9),
      failure: { code: 'VAULT_UNREACHABLE', detail: 'connect ECONNREFUSED 10.0.0.12:7302', retry: 'later' },
      log: [{ at: hours(4.9), level: 'error', text: 'The vault cannot be reached: connect ECONNREFUSED' }],
    }),
    job(atlas, {
      kind: 'verify',
      state: 'succeeded',
      subject: 'Office NAS, all data',
      createdAt: hours(20),
      startedAt: hours(20),
      endedAt: hours(19),
      result: { kind: 'verify', checkedBytes: 412 * GiB, checkedObjects: 28_411, damaged: [] },
    }),
    job(finch, {
      kind: 'backup',
      state: 'queued',
      subject: 'PhysicalDrive0 → Office NAS',
      createdAt: hours(30),
      startedAt: null,
      lostContact: true,
    }),
  ];
  return {
    needsOwner: false,
    machines: [atlas, finch, reception, lab, devPc],
    vaults: [{ ...vault, points: points.length }],
    points,
    jobs,
    listeners: new Set(),
  };
}

export function emit(world: World, event: LiveEvent) {
  for (const listener of world.listeners) listener(event);
}

/** Runs a job through its phases in about `seconds`, telling everybody who listens. */
export function simulate(world: World, started: JobDetail, seconds: number, onDone: (job: JobDetail) => Partial<JobDetail>) {
  const total = 4.2 * GiB;
  const ticks = seconds * 2;
  let tick = 0;
  const update = (part: Partial<JobDetail>) => {
    const index = world.jobs.findIndex((candidate) => candidate.id === started.id);
    const current = world.jobs[index] ?? started;
    const next: JobDetail = { ...current, ...part };
    world.jobs[index] = next;
    emit(world, { kind: 'job', jobId: next.id, machineId: next.machineId, state: next.state, progress: next.progress });
    return next;
  };
  const timer = setInterval(() => {
    tick += 1;
    const now = world.jobs.find((candidate) => candidate.id === started.id);
    if (!now || now.state === 'cancelled') return clearInterval(timer);
    if (tick >= ticks) {
      clearInterval(timer);
      const done = update({ state: 'succeeded', endedAt: new Date().toISOString() });
      update(onDone(done));
      emit(world, { kind: 'jobLog', jobId: started.id });
      return;
    }
    const phase = started.kind === 'restore' && tick > ticks * 0.7 ? 'compare' : 'copy';
    update({
      state: 'running',
      startedAt: started.startedAt ?? new Date().toISOString(),
      progress: progressAt(tick / ticks, total, phase, seconds),
    });
    if (tick % 6 === 0) {
      const line = { at: new Date().toISOString(), level: 'info' as const, text: `Region ${tick}: ${tick * 37} ranges read` };
      update({ log: [...(world.jobs.find((candidate) => candidate.id === started.id)?.log ?? []), line] });
      emit(world, { kind: 'jobLog', jobId: started.id });
    }
  }, 500);
}

function progressAt(share: number, total: number, phase: string, seconds: number): JobProgress {
  return {
    phase,
    doneBytes: Math.round(total * share),
    totalBytes: total,
    newBytes: Math.round(total * share * 0.31),
    storedBytes: Math.round(total * share * 0.14),
    skippedBytes: Math.round(total * share * 0.69),
    bytesPerSecond: (total / seconds) * (0.92 + 0.16 * Math.sin(share * 23)),
    etaSeconds: share < 0.05 ? null : { low: seconds * (1 - share) * 0.9, high: seconds * (1 - share) * 1.4 + 2 },
  };
}

export function startedJob(owner: MachineView, kind: JobView['kind'], subject: string): JobDetail {
  return job(owner, {
    kind,
    state: 'queued',
    subject,
    createdAt: new Date().toISOString(),
    startedAt: null,
    log: [{ at: new Date().toISOString(), level: 'info', text: 'Queued' }],
  });
}
