/** The codes of the audit log in words. The code stays beside them: scripts and auditors look for it. */
const words: Readonly<Record<string, string>> = {
  'setup.createOwner': 'Created the owner account',
  'auth.signIn': 'Signed in',
  'auth.signInFailed': 'Failed to sign in',
  'auth.signOut': 'Signed out',
  'vaults.create': 'Created a vault',
  'vaults.recoveryKit': 'Downloaded a recovery kit',
  'vaults.setPolicy': 'Asked for other deletion delay, retention or quotas',
  'vaults.setRule': 'Changed the deletion rule',
  'vaults.tend': 'Asked for a clean-up',
  'vaults.tended': 'Cleaned up a vault',
  'vaults.adminToken': 'Made an admin token of a vault',
  'points.remove': 'Deleted a restore point',
  'points.undelete': 'Took a deletion back',
  'machines.createEnrolToken': 'Created an enrol token',
  'machines.enrol': 'Enrolled',
  'machines.enrolAgain': 'Enrolled again',
  'machines.approve': 'Approved a machine',
  'machines.reject': 'Turned a machine away',
  'machines.revoke': 'Revoked a machine',
  'machines.rename': 'Renamed a machine',
  'agent.copySeen': 'Saw a copied identity',
  'jobs.backup': 'Asked for a backup',
  'jobs.restore': 'Asked for a restore',
  'jobs.restoreFiles': 'Asked to restore files',
  'jobs.verify': 'Asked for a check',
  'jobs.explore': 'Asked to explore',
  'jobs.cancel': 'Cancelled a job',
  'explorer.list': 'Looked into a restore point',
  'explorer.download': 'Downloaded a file',
  'restores.plan': 'Planned a restore',
  'restores.start': 'Confirmed a restore',
  'restore.succeeded': 'Restore succeeded',
  'restore.failed': 'Restore failed',
  'restore.cancelled': 'Restore cancelled',
  'restore.missed': 'Restore missed its time',
};

/** Null for a code of a newer server: then the code itself is shown. */
export function actionWords(action: string): string | null {
  return words[action] ?? null;
}
