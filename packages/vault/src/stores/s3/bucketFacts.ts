/** What a bucket does with deleted objects: people should know before they count on space coming back, or on nothing being lost. */
import { VaultError } from '../../errors.ts';
import type { S3Client } from './s3Client.ts';
import { textIn } from './xml.ts';

/** Sentences for people. A key that may not ask gets told so. */
export async function bucketFacts(client: S3Client): Promise<string[]> {
  const lock = await answerTo(client, 'object-lock');
  const versioning = await answerTo(client, 'versioning');
  const facts: string[] = [];
  if (lock === null || versioning === null) facts.push('This key may not ask whether the bucket locks or keeps deleted objects.');
  if (lock !== null && textIn(lock, 'ObjectLockEnabled') === 'Enabled') facts.push(lockSentence(lock));
  if (versioning !== null && textIn(versioning, 'Status') === 'Enabled') {
    facts.push('The bucket keeps older versions: removed objects take room until its lifecycle rule expires them.');
  }
  return facts;
}

function lockSentence(xml: string): string {
  const mode = textIn(xml, 'Mode');
  const days = textIn(xml, 'Days');
  const years = textIn(xml, 'Years');
  if (mode === null) return 'Object lock is on, without a default retention.';
  const span = days === null ? `${years ?? '?'} years` : `${days} days`;
  return `Object lock is on (${mode.toLowerCase()}): what is stored cannot be destroyed for ${span}, also not by clean-up.`;
}

/** Null: the key may not ask, or the server does not know the question. */
async function answerTo(client: S3Client, question: 'object-lock' | 'versioning'): Promise<string | null> {
  try {
    const { body } = await client.ask({ method: 'GET', query: { [question]: '' }, answers: [404] });
    return body.toString('utf8');
  } catch (cause) {
    if (cause instanceof VaultError && cause.code !== 'VAULT_UNREACHABLE') return null;
    throw cause;
  }
}
