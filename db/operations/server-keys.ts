import { invalid } from '../../src/errors.ts'
import * as keys from '../queries/server-keys.ts'
import type { Transaction } from '../transaction.ts'

/** `hash` is the SHA-256 of the key, in base64url. */
export type CreateServerKey = { name: string; hash: string }
export type RevokeServerKey = { name: string }

/** @throws AppError `VALIDATION_FAILED` if a key has the name */
export const createServerKey = (tx: Transaction, { name, hash }: CreateServerKey): void => {
  if (tx.get(keys.serverKeyByName, { name }))
    throw invalid('/name', 'is the name of a key. Choose another, or revoke that key first')
  tx.run(keys.insertServerKey, { name, hash: Buffer.from(hash, 'base64url'), created_at: tx.now })
}

/** Deletes a key, and publishes that it has ended. @throws AppError `VALIDATION_FAILED` if no key has the name */
export const revokeServerKey = (tx: Transaction, { name }: RevokeServerKey): void => {
  if (!tx.get(keys.serverKeyByName, { name })) throw invalid('/name', 'must be the name of a key')
  tx.run(keys.deleteServerKey, { name })
  tx.publish(tx.next(), [], { type: 'key_ended', name })
}
