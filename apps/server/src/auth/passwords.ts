/** argon2id with OWASP's first recommendation raised: 46 MiB, 2 passes. The text form carries the cost, so it can rise later. */
import { hash, verify } from '@node-rs/argon2';

const argon2id = 2;
const cost = { algorithm: argon2id, memoryCost: 47_104, timeCost: 2, parallelism: 1 };

export function hashPassword(password: string): Promise<string> {
  return hash(password.normalize('NFC'), cost);
}

/** A stand-in is checked when there is no such user, so that time does not tell who exists. */
export async function checkPassword(passwordHash: string | null, password: string): Promise<boolean> {
  standIn ??= hashPassword('nobody has this password');
  const right = await verify(passwordHash ?? (await standIn), password.normalize('NFC'));
  return right && passwordHash !== null;
}

let standIn: Promise<string> | null = null;
