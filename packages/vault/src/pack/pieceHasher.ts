/**
 * Keyed sums of pieces of a source that a machine remembers for itself, to find out what changed since. They never go into a vault, and
 * their key is not that of chunk ids: a sum tells nothing of which chunk a piece is in.
 */
import { deriveKey } from '../keys/derive.ts';
import { type HasherKey, newKeyedBlake3 } from './chunkHasher.ts';

export interface PieceHasher {
  /** Bytes of the piece at hand, in as many parts as it comes in. */
  update(bytes: Uint8Array): void;
  /** The sum of what came since the last one: 64 hex digits, which cost a third of what a buffer of the addon's does. */
  digest(): string;
}

/** Null where ids are not BLAKE3: a second hash of everything would cost more than it saves. */
export function pieceHasher({ idKey, vaultId, idAlgorithm }: HasherKey): PieceHasher | null {
  if (idAlgorithm !== 'blake3') return null;
  const state = newKeyedBlake3(deriveKey(idKey, vaultId, 'piece sum'));
  return {
    update: (bytes) => void state.update(bytes),
    digest() {
      const sum = state.digest('hex');
      state.reset();
      return sum;
    },
  };
}
