import * as users from '../queries/users.ts'
import type { Transaction } from '../transaction.ts'

/** Bytes of a long message: a full disk still takes a few. */
const ROOM = 16_384

/** Writes as much as a long message and takes it back: whether that reaches the disk tells whether a message would. */
export const probe = (tx: Transaction): void => {
  tx.run(users.revokeToken, { jti: '-'.repeat(ROOM), expires_at: 0 })
  tx.run(users.forgetRevokedTokens, { before: 1, limit: 1 })
}
