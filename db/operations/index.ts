import type { Transaction } from '../transaction.ts'
import {
  createUser,
  leaveGroups,
  publishSecret,
  putUser,
  removeUser,
  resetPassword,
  revokeAll,
  revokeEverybody,
  revokeToken,
  setPassword,
} from './accounts.ts'
import { block, unblock } from './blocks.ts'
import { addMember, changeGroup, createGroup, putGroup, removeMember } from './groups.ts'
import { announceOverdue, mark } from './receipts.ts'
import { edit, remove } from './edits.ts'
import { probe } from './probe.ts'
import { setProfile, setTokenProfile } from './profiles.ts'
import { report, setReport } from './reports.ts'
import { send } from './send.ts'
import { createServerKey, revokeServerKey } from './server-keys.ts'
import { endSuspension, suspend } from './suspensions.ts'

import { stepDelivery } from './deliveries.ts'
import { deleteWebhook, moveWebhook, putWebhook, rotateWebhook } from './webhooks.ts'

/**
 * All operations of the writer. An operation runs in a transaction that it shares with others. It makes every check before
 * its first write, and refuses by throwing an AppError.
 */
export const operations = {
  send,
  edit,
  remove,
  mark,
  announceOverdue,
  createGroup,
  putGroup,
  changeGroup,
  addMember,
  removeMember,
  block,
  unblock,
  createUser,
  putUser,
  setProfile,
  setTokenProfile,
  setPassword,
  revokeToken,
  revokeAll,
  revokeEverybody,
  publishSecret,
  resetPassword,
  removeUser,
  leaveGroups,
  report,
  setReport,
  suspend,
  endSuspension,
  createServerKey,
  revokeServerKey,
  putWebhook,
  deleteWebhook,
  rotateWebhook,
  moveWebhook,
  stepDelivery,
  probe,
} satisfies Record<string, (tx: Transaction, input: never) => unknown>

export type OperationName = keyof typeof operations
export type Input<K extends OperationName> =
  Parameters<(typeof operations)[K]> extends [unknown, infer I] ? I : Record<never, never>
export type Output<K extends OperationName> = ReturnType<(typeof operations)[K]>
export type Operation = { [K in OperationName]: { name: K; input: Input<K> } }[OperationName]
