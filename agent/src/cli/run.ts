import { runAgent } from '../agent/runAgent.ts';
import { agentFolder } from '../inventory/settings.ts';
import type { Command } from './command.ts';
import { noMore } from './parse.ts';

export const runCommand: Command = {
  name: 'run',
  group: 'Fleet',
  summary: 'Run the agent: keep in touch with the server and do its jobs.',
  usage: '[--data DIR]',
  details: `Opens a connection to the server this PC is enrolled with and keeps it; it never listens on the network. Logs JSON lines on
stderr. With no identity yet it enrols itself when DISKFLEET_ENROL_URL and DISKFLEET_ENROL_TOKEN are set. Ctrl-C or SIGTERM stops it: running jobs are cancelled cleanly and reported at the next start.`,
  options: { data: { type: 'string', value: 'DIR', help: 'The agent’s folder (default: DISKFLEET_AGENT_DATA).' } },
  examples: ['diskfleet run', 'DISKFLEET_AGENT_DATA=/srv/agent diskfleet run'],
  async run(cli, args) {
    noMore(args.positionals, 0);
    const folder = agentFolder(cli.env, args.text('data') ?? undefined);
    await runAgent({ folder, platform: cli.platform(), env: cli.env, signal: cli.signal });
    return { json: { stopped: true }, text: '' };
  },
};
