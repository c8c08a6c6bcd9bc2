import { PRODUCT_VERSION } from '@diskfleet/protocol';
import type { Command, OptionSpec } from './command.ts';
import { commonOptions } from './parse.ts';

/** The page of `diskfleet --help`: commands in groups, in the order of the table. */
export function overviewHelp(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name, usage }) => `${name} ${usage}`.length));
  const groups = [...new Set(commands.map(({ group }) => group))].map((group) => {
    const lines = commands
      .filter((command) => command.group === group)
      .map(({ name, usage, summary }) => `  ${`${name} ${usage}`.padEnd(width)}  ${summary}`);
    return `${group}\n${lines.join('\n')}`;
  });
  return `diskfleet ${PRODUCT_VERSION}: back up, explore and restore the disks of this PC

usage: diskfleet <command> [options]

${groups.join('\n\n')}

Everywhere a disk is expected, a regular file is one. A restore point is an id, the beginning of one (6 characters or more),
"latest", "<machine>/<source>@<time>", or a file made by export. A path inside an image starts with the partition number: /2/usr/share.

Options of every command
  --json   ${commonOptions.json?.help}
  --help   ${commonOptions.help?.help}

Keys
  DISKFLEET_PASSPHRASE, --passphrase-file FILE or --recovery-kit FILE; otherwise the passphrase is asked for.

Exit codes
  0 done · 1 failed · 2 wrong usage · 3 done with warnings · 4 refused for safety · 130 interrupted

Examples
  diskfleet disks
  diskfleet vault create /mnt/backup/vault
  diskfleet backup disk /dev/sda --vault /mnt/backup/vault
  diskfleet explore latest ls /2/home --vault /mnt/backup/vault
  diskfleet restore latest --to /dev/sdb --vault /mnt/backup/vault

"diskfleet <command> --help" explains one command.
`;
}

export function commandHelp(command: Command): string {
  const options = Object.entries({ ...command.options, ...commonOptions });
  const width = Math.max(...options.map(([name, option]) => optionName(name, option).length));
  const lines = options.map(([name, option]) => `  ${optionName(name, option).padEnd(width)}  ${option.help}`);
  const examples = command.examples.map((example) => `  ${example}`);
  return `${command.summary}

usage: diskfleet ${command.name} ${command.usage}

${command.details}

Options
${lines.join('\n')}

Examples
${examples.join('\n')}
`;
}

function optionName(name: string, option: OptionSpec): string {
  return option.type === 'string' ? `--${name} ${option.value ?? 'VALUE'}` : `--${name}`;
}
