import { enrol } from '../agent/enrol.ts';
import { agentFolder } from '../inventory/settings.ts';
import type { Command } from './command.ts';
import { noMore, required } from './parse.ts';

export const enrolCommand: Command = {
  name: 'enrol',
  group: 'Fleet',
  summary: 'Join this PC to a server with a one-time token.',
  usage: '<server> <token>',
  details: `Makes a key for this PC, shows the server its hardware and disks, and remembers the server's key: from then on no other server
is talked to. The token comes from the console, Machines → Add machine. Then start the agent with "diskfleet run".`,
  options: {
    data: { type: 'string', value: 'DIR', help: 'The agent’s folder (default: DISKFLEET_AGENT_DATA).' },
    'no-disk-writes': { type: 'boolean', help: 'Refuse every disk write commanded from the console on this PC.' },
  },
  examples: ['diskfleet enrol https://backup.example.org DF-…'],
  async run(cli, args) {
    const serverUrl = required(args.positionals[0], 'The server');
    const token = required(args.positionals[1], 'The token');
    noMore(args.positionals, 2);
    const folder = agentFolder(cli.env, args.text('data') ?? undefined);
    const allowRemoteDiskWrites = args.flag('no-disk-writes') ? false : null;
    const { machineId, state, serverId, keyFingerprint } = await enrol({
      serverUrl,
      token,
      folder,
      allowRemoteDiskWrites,
      platform: cli.platform(),
      env: cli.env,
      now: cli.now,
      signal: cli.signal,
    });
    const next = state === 'pending' ? 'Approve it in the console under Machines; ' : '';
    const text = `This PC is enrolled (key ${keyFingerprint}). ${next}start the agent with \`diskfleet run\`.`;
    return { json: { machineId, state, serverId, keyFingerprint }, text };
  },
};
