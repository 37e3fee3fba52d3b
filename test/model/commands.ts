import * as fc from 'fast-check'

/** How often each kind of command occurs, relative to the others. */
const weights = {
  send: 5,
  reply: 1,
  retry: 1,
  reuseKey: 1,
  burst: 1,
  sendAndDrop: 1,
  sendToSelf: 1,
  sendAnywhere: 1,
  sendBetweenTwo: 2,
  sendByKey: 2,
  suspend: 1,
  edit: 3,
  delete: 1,
  deleteByKey: 1,
  mark: 4,
  markByKey: 1,
  createGroup: 1,
  rename: 1,
  add: 2,
  setRole: 3,
  invite: 1,
  remove: 1,
  leave: 1,
  rejoin: 1,
  addAfterSend: 2,
  removeAfterSend: 2,
  block: 2,
  blockBack: 1,
  unblock: 2,
  addDevice: 1,
  connect: 2,
  drop: 2,
  reconnectBriefly: 2,
  poll: 1,
  stall: 1,
  loseBatch: 1,
} as const

export type CommandKind = keyof typeof weights

const kinds = Object.entries(weights).flatMap(([kind, weight]) =>
  Array.from({ length: weight }, () => kind as CommandKind),
)

/** One action of a user. `a` and `b` select among the conversations, messages and users that exist when it runs. */
export const command = fc.record({
  kind: fc.constantFrom(...kinds),
  who: fc.nat(3),
  a: fc.nat(30),
  b: fc.nat(30),
  overSocket: fc.boolean(),
})
export type Command = typeof command extends fc.Arbitrary<infer T> ? T : never

/** @returns the entry that a number of a command selects; undefined in an empty list */
export const pick = <T>(list: readonly T[], index: number): T | undefined => list[index % list.length]
