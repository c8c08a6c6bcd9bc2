export type * from './api.ts';
export { type FailureCode, type FailureText, failureText, failureTexts, isFailureCode } from './failures.ts';
export {
  type GrantProblem,
  openVaultToken,
  openWriteGrant,
  signGrant,
  type VaultToken,
  type VaultVerb,
  vaultVerbs,
  type WriteGrant,
} from './grants.ts';
export {
  generateIdentity,
  type HandshakeFacts,
  handshakeBytes,
  keyFingerprint,
  rawPrivateKey,
  rawPublicKey,
  signBytes,
  verifyBytes,
} from './handshake.ts';
export {
  type Inventory,
  type InventoryDisk,
  type InventoryFilesystem,
  type InventoryPartition,
  inventoryShape,
} from './inventory.ts';
export {
  type BackupKind,
  backupKinds,
  backupOptionsShape,
  type ChosenDisk,
  chosenDisksShape,
  type Failure,
  type JobKind,
  type JobLogLine,
  type JobOutcome,
  type JobProgress,
  type JobResult,
  type JobSpec,
  type JobSpecOf,
  type JobState,
  jobKinds,
  jobOutcomeShape,
  jobResultShape,
  jobSpecShape,
  jobStates,
  type OfferedJob,
  progressShape,
  type TargetRef,
  targetRefShape,
  type VaultGrant,
  vaultGrantShape,
} from './jobs.ts';
export {
  type AgentMessage,
  agentMessageShape,
  type EnrolRequest,
  type EnrolResponse,
  enrolRequestShape,
  enrolResponseShape,
  MAX_MESSAGE_BYTES,
  type RefusalCode,
  refusalCodes,
  type ServerMessage,
  serverMessageShape,
} from './messages.ts';
export { cleanText, foreignText } from './text.ts';
export {
  type Bucket,
  bucketShape,
  type PrunePreview,
  type PruneRule,
  pruneRuleShape,
  type TendReport,
  type VaultKeeping,
  type VaultPolicy,
  type VaultPolicyAnswer,
  vaultPolicyAnswerShape,
  vaultPolicyShape,
} from './vaults.ts';
export { PRODUCT_VERSION, PROTOCOL_VERSION, PROTOCOL_VERSION_MIN } from './version.ts';
