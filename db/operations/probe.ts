import * as counter from '../queries/counter.ts'
import type { Transaction } from '../transaction.ts'

/** Writes what is there already: whether that reaches the disk tells whether a message would. */
export const probe = (tx: Transaction): void => {
  tx.run(counter.setHead, { last: tx.last })
}
