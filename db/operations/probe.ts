import * as users from '../queries/users.ts'
import type { Transaction } from '../transaction.ts'

/** Bytes of a long message: a full disk still accepts a few bytes. */
const SIZE = 16_384

/** Writes and deletes a row of the size of a long message, to test whether the disk would store a message. */
export const probe = (tx: Transaction): void => {
  tx.run(users.revokeToken, { jti: '-'.repeat(SIZE), expires_at: 0 })
  tx.run(users.deleteRevokedTokens, { before: 1, limit: 1 })
}
