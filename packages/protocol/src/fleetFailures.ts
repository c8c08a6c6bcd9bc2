/** Failures of agents, the server and the fleet: who may do what, and what did not arrive. */
import { type FailureText, noHarm, targetUntouched } from './failureWords.ts';

export const fleetFailures = {
  AGENT_TOO_OLD: { what: 'The agent is too old for this server.', data: noHarm, todo: 'Update the agent on the PC.' },
  AGENT_TOO_NEW: { what: 'The agent is newer than this server.', data: noHarm, todo: 'Update the server first.' },
  AGENT_REVOKED: {
    what: 'The agent was revoked.',
    data: 'Its restore points are kept.',
    todo: 'Enrol the PC again if this was a mistake.',
  },
  AGENT_PENDING: {
    what: 'The agent waits for approval.',
    data: noHarm,
    todo: 'Approve it in the console under Machines → Waiting room.',
  },
  AGENT_QUARANTINED: {
    what: 'Another PC uses the same identity.',
    data: noHarm,
    todo: 'Give this PC a new identity: enrol it again.',
  },
  AGENT_UNKNOWN: { what: 'The server does not know this agent.', data: noHarm, todo: 'Enrol the PC again.' },
  AGENT_BAD_SIGNATURE: {
    what: 'The proof of identity was wrong.',
    data: noHarm,
    todo: 'If this PC was not restored from an image lately, look into it: somebody may pose as it.',
  },
  AGENT_OFFLINE: {
    what: 'The PC is not connected.',
    data: noHarm,
    todo: 'Switch it on and check its network; the job waits for it.',
  },
  AGENT_RESTARTED: {
    what: 'The agent was restarted in the middle of the job.',
    data: 'Earlier restore points are intact; an interrupted restore leaves its target without a valid partition table.',
    todo: 'Start the job again: what was stored is reused.',
  },
  NOT_ENROLLED: {
    what: 'This PC is not enrolled with a server.',
    data: noHarm,
    todo: 'Make a token in the console under Machines → Add machine, then run `diskfleet enrol <server> <token>`.',
  },
  PLATFORM_UNSUPPORTED: {
    what: 'This operating system is not supported yet.',
    data: noHarm,
    todo: 'Run this on Linux; files used as disks can be copied there.',
  },
  POINT_AMBIGUOUS: {
    what: 'More than one restore point matches.',
    data: noHarm,
    todo: 'Give more characters of the id; `diskfleet points` lists them.',
  },
  DESTINATION_UNSAFE: {
    what: 'The destination folder cannot be used safely.',
    data: targetUntouched,
    todo: 'Choose a folder whose path holds no links and that this user may write.',
  },
  AGENT_BUSY: { what: 'The agent is working on another job for this disk.', data: noHarm, todo: 'Wait for it to end.' },
  SERVER_BUSY: { what: 'The server is busy.', data: noHarm, todo: 'The agent tries again by itself.' },
  SERVER_UNREACHABLE: {
    what: 'The server cannot be reached.',
    data: noHarm,
    todo: 'Check address, network and that the server runs.',
  },
  SERVER_KEY_CHANGED: {
    what: 'The server is not the one this PC was enrolled with.',
    data: noHarm,
    todo: 'If the server was set up anew, enrol again; else look into it: somebody may pose as it.',
  },
  ENROL_TOKEN_INVALID: {
    what: 'The enrol token is wrong, used up or too old.',
    data: noHarm,
    todo: 'Make a new one in the console under Machines → Add machine.',
  },
  REMOTE_WRITES_OFF: {
    what: 'This PC does not allow disk writes commanded from the console.',
    data: targetUntouched,
    todo: 'Allow it on the PC itself: set `allowRemoteDiskWrites` in the agent’s settings.',
  },
  GRANT_INVALID: {
    what: 'The permission to write the disk is not valid.',
    data: targetUntouched,
    todo: 'Make the plan again and confirm it.',
  },
  GRANT_USED: {
    what: 'This permission to write was used already.',
    data: targetUntouched,
    todo: 'Make the plan again and confirm it.',
  },
  RESTORE_PATH_UNSAFE: {
    what: 'A path in the image would leave the destination.',
    data: 'Nothing was written outside the destination folder.',
    todo: 'Restore the disk instead, and look at the image: it may be hostile.',
  },
  JOB_EXPIRED: { what: 'The job waited longer than allowed.', data: noHarm, todo: 'Start it again when the PC is online.' },
  NOT_FOUND: { what: 'There is no such thing.', data: noHarm, todo: 'It may have been deleted; reload the page.' },
  NOT_ALLOWED: { what: 'Your role does not allow this.', data: noHarm, todo: 'Ask an owner or admin.' },
  SIGN_IN_FAILED: { what: 'E-mail or password is wrong.', data: noHarm, todo: 'Try again.' },
  TOO_MANY_TRIES: { what: 'Too many tries.', data: noHarm, todo: 'Wait a minute, then try again.' },
  SETUP_CLOSED: { what: 'The first owner exists already.', data: noHarm, todo: 'Sign in instead.' },
  CONFIRMATION_WRONG: {
    what: 'The typed confirmation does not match.',
    data: targetUntouched,
    todo: 'Type the machine name and the last four characters of the target’s serial as shown.',
  },
  INVALID_INPUT: { what: 'The input is not valid.', data: noHarm, todo: 'Correct the field named and try again.' },
  USAGE: { what: 'The command was not understood.', data: noHarm, todo: 'See `diskfleet --help`.' },
  INTERNAL: {
    what: 'Something unexpected went wrong.',
    data: 'Earlier restore points are intact.',
    todo: 'Try again; if it repeats, report it with the diagnostics.',
  },
} as const satisfies Record<string, FailureText>;
