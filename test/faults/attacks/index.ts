import type { Attack } from './attack.ts'
import { createBodies, largestBodies, unfinishedBodies } from './bodies.ts'
import { groupNames } from './group-names.ts'
import { createRemovals, newGroups } from './groups.ts'
import { headUpgrade } from './head-upgrade.ts'
import {
  conversationPages,
  createHistoryPages,
  createUnreadReplies,
  longLists,
  membershipPeriods,
} from './lists.ts'
import { longPolls } from './long-polls.ts'
import { reconnectStorm } from './reconnect-storm.ts'
import { rooms } from './rooms.ts'
import { tinyRequests } from './tiny-requests.ts'

/** Attacks of a single client or address on all other clients. */
export const attacks: readonly Attack[] = [
  groupNames,
  createBodies(20),
  createBodies(100),
  createBodies(200),
  largestBodies,
  unfinishedBodies,
  tinyRequests,
  conversationPages,
  createUnreadReplies(1),
  createUnreadReplies(8),
  createHistoryPages(64),
  createHistoryPages(256),
  membershipPeriods,
  longLists,
  newGroups,
  createRemovals(1, 1128),
  createRemovals(20, 300),
  longPolls,
  headUpgrade,
  rooms,
  reconnectStorm,
]
