import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import t from 'tap'
import { type Operation, type OperationName, operations } from '../../db/operations/index.ts'
import { withoutPostgres as skip } from '../support/postgres.ts'
import { temporaryFolder } from '../support/server.ts'
import { openBoth } from './two-databases.ts'

/** Runs, each with users of its own. */
const RUNS = Number(process.env.DIFFERENTIAL_RUNS ?? 40)
const SEED =
  process.env.DIFFERENTIAL_SEED === undefined ? {} : { seed: Number(process.env.DIFFERENTIAL_SEED) }
/** A failure is not shrunk by default, because each attempt takes half a second to create databases. */
const SHRINKS = process.env.DIFFERENTIAL_SHRINKS === '1'

const USERS = 5

/** Turns positions in the lists of users, conversations and messages of a run into ids and names. */
type Names = {
  user: (place: number) => number
  username: (place: number) => string
  conversation: (place: number) => number
  message: (place: number) => number
  /** A text that only this run uses. */
  own: (text: string) => string
  /** Milliseconds since 1970. */
  now: () => number
}

type Draft = (names: Names) => Operation

/** A position, mostly one of the newest five. */
const place = fc.oneof({ weight: 5, arbitrary: fc.nat({ max: 4 }) }, fc.nat({ max: 40 }))
/** A user. One in ten does not exist. */
const user = fc.oneof({ weight: 9, arbitrary: fc.nat({ max: USERS - 1 }) }, fc.constant(USERS))
const content = fc.constantFrom('one', 'two', 'ä€𝄞', '', 'x'.repeat(40))
const key = fc.constantFrom('k1', 'k2', 'K1')
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 })
const text = fc.constantFrom(null, '{"a":1}')
const max_group = fc.constantFrom(2, 32)
const family = fc.constantFrom('f', 'g')
const hash = fc.constantFrom(null, 'h1', 'h2')

const webhook = fc.constantFrom('w1', 'w2')
const outcome = fc.constantFrom(
  undefined,
  undefined,
  { type: 'failed' as const, error: 'no', retry_ms: 1000 },
  { type: 'moved' as const, position: 1, cursor: 'e.1', batch_id: 'b' },
)

/** A draft of an operation from arbitrary values. */
const draft = <T extends fc.Arbitrary<unknown>[]>(
  arbitraries: [...T],
  make: (
    names: Names,
    values: { [I in keyof T]: T[I] extends fc.Arbitrary<infer V> ? V : never },
  ) => Operation,
): fc.Arbitrary<Draft> =>
  fc.tuple(...arbitraries).map((values) => (names: Names) => make(names, values as never))

const drafts: Record<OperationName, fc.Arbitrary<Draft>> = {
  send: draft(
    [user, user, maybe(place), content, maybe(key), maybe(place), maybe(fc.constant('{"a":1}'))],
    (names, [from, to, group, text, client_id, reply, metadata]) => ({
      name: 'send',
      input: {
        sender_id: names.user(from),
        ...(group === undefined
          ? { receiver_username: names.username(to) }
          : { conversation_id: names.conversation(group) }),
        content: text,
        client_id,
        reply_to: reply === undefined ? undefined : names.message(reply),
        metadata,
      },
    }),
  ),
  edit: draft([user, place, content], (names, [by, message, text]) => ({
    name: 'edit',
    input: { user_id: names.user(by), message_id: names.message(message), content: text },
  })),
  remove: draft([user, place], (names, [by, message]) => ({
    name: 'remove',
    input: { user_id: names.user(by), message_id: names.message(message) },
  })),
  mark: draft(
    [user, place, maybe(place), maybe(place), max_group],
    (names, [by, group, delivered, read, max]) => ({
      name: 'mark',
      input: {
        user_id: names.user(by),
        conversation_id: names.conversation(group),
        delivered_up_to: delivered === undefined ? undefined : names.message(delivered),
        read_up_to: read === undefined ? undefined : names.message(read),
        max_group: max,
      },
    }),
  ),
  announceOverdue: draft([user, place, max_group], (names, [by, group, max]) => ({
    name: 'announceOverdue',
    input: { user_id: names.user(by), conversation_id: names.conversation(group), max_group: max },
  })),
  createGroup: draft(
    [user, fc.constantFrom('a', 'b'), fc.array(user, { maxLength: 4 }), maybe(key)],
    (names, [by, title, members, client_id]) => ({
      name: 'createGroup',
      input: { user_id: names.user(by), title, members: members.map(names.username), client_id },
    }),
  ),
  putGroup: draft(
    [user, maybe(user), key, fc.array(user, { maxLength: 3 }), maybe(fc.constant('{"a":1}'))],
    (names, [by, noOwner, thing, members, metadata]) => ({
      name: 'putGroup',
      input: {
        user_id: noOwner === undefined ? names.user(by) : null,
        key: names.own(thing),
        title: 'thing',
        members: members.map(names.username),
        metadata,
      },
    }),
  ),
  changeGroup: draft(
    [user, place, maybe(fc.constantFrom('a', 'b')), maybe(text)],
    (names, [by, group, title, metadata]) => ({
      name: 'changeGroup',
      input: { user_id: names.user(by), conversation_id: names.conversation(group), title, metadata },
    }),
  ),
  addMember: draft(
    [user, place, user, maybe(fc.constantFrom('owner', 'member')), maybe(place)],
    (names, [by, group, who, role, app]) => ({
      name: 'addMember',
      input: {
        user_id: app === undefined ? names.user(by) : null,
        role,
        conversation_id: names.conversation(group),
        username: names.username(who),
        max_members: 4,
      },
    }),
  ),
  removeMember: draft([user, place, user, max_group], (names, [by, group, who, max]) => ({
    name: 'removeMember',
    input: {
      user_id: names.user(by),
      conversation_id: names.conversation(group),
      username: names.username(who),
      max_group: max,
    },
  })),
  block: draft([user, user], (names, [by, who]) => ({
    name: 'block',
    input: { user_id: names.user(by), username: names.username(who) },
  })),
  unblock: draft([user, user], (names, [by, who]) => ({
    name: 'unblock',
    input: { user_id: names.user(by), username: names.username(who) },
  })),
  createUser: draft(
    [fc.constantFrom('new', 'NEW', 'ä', 'not a name'), hash, family],
    (names, [name, password_hash, token_family]) => ({
      name: 'createUser',
      input: { username: names.own(name), password_hash, family: token_family },
    }),
  ),
  putUser: draft(
    [
      fc.constantFrom('new', 'NEW', 'a@b', 'not a name'),
      maybe(fc.constantFrom(null, 'Ä')),
      maybe(text),
      family,
    ],
    (names, [name, display_name, metadata, token_family]) => ({
      name: 'putUser',
      input: { username: names.own(name), family: token_family, change: { display_name, metadata } },
    }),
  ),
  createServerKey: draft([fc.constantFrom('k1', 'k2')], (_names, [name]) => ({
    name: 'createServerKey',
    input: { name, hash: createHash('sha256').update(name).digest('base64url') },
  })),
  revokeServerKey: draft([fc.constantFrom('k1', 'k2')], (_names, [name]) => ({
    name: 'revokeServerKey',
    input: { name },
  })),
  setProfile: draft(
    [
      user,
      maybe(fc.constantFrom(null, 'Ä', 'b')),
      maybe(fc.constantFrom(null, 'https://a.example/')),
      maybe(text),
    ],
    (names, [by, display_name, avatar_url, metadata]) => ({
      name: 'setProfile',
      input: { user_id: names.user(by), change: { display_name, avatar_url, metadata } },
    }),
  ),
  setTokenProfile: draft(
    [
      user,
      maybe(fc.constantFrom('Ä', 'b')),
      maybe(fc.constantFrom('https://a.example/')),
      fc.nat({ max: 2 }),
    ],
    (names, [by, display_name, avatar_url, later]) => ({
      name: 'setTokenProfile',
      input: {
        user_id: names.user(by),
        change: { display_name, avatar_url },
        issued_at: Math.floor(names.now() / 1000) + later,
      },
    }),
  ),
  setPassword: draft([user, hash, hash, family, family], (names, [by, checked, next, kept, then]) => ({
    name: 'setPassword',
    input: {
      user_id: names.user(by),
      checked_hash: checked,
      password_hash: next ?? 'h',
      family: then,
      kept_token: `${kept}.${names.own('kept')}`,
    },
  })),
  revokeToken: draft([user, key, fc.constantFrom(5, 1e12, 2e12)], (names, [by, token, expires_at]) => ({
    name: 'revokeToken',
    input: { user_id: names.user(by), jti: names.own(token), expires_at },
  })),
  revokeAll: draft([user, family], (names, [by, next]) => ({
    name: 'revokeAll',
    input: { user_id: names.user(by), family: next },
  })),
  revokeEverybody: draft([family], (_, [next]) => ({ name: 'revokeEverybody', input: { era: next } })),
  resetPassword: draft([user, family], (names, [by, next]) => ({
    name: 'resetPassword',
    input: { user_id: names.user(by), password_hash: 'reset', family: next },
  })),
  removeUser: draft([user, family], (names, [by, next]) => ({
    name: 'removeUser',
    input: { user_id: names.user(by), family: next },
  })),
  leaveGroups: draft([user, place, max_group], (names, [by, group, max]) => ({
    name: 'leaveGroups',
    input: {
      user_id: names.user(by),
      after: { conversation_id: group === 0 ? names.conversation(1) : 0, from_number: 0 },
      max_group: max,
    },
  })),
  putWebhook: draft(
    [webhook, maybe(text), maybe(fc.constantFrom(1, 10)), place],
    (_names, [name, types, push_after, position]) => ({
      name: 'putWebhook',
      input: {
        name,
        url: 'https://a.example/',
        types: types ?? null,
        description: null,
        push_after: push_after ?? null,
        secret: 'whsec_a',
        cursor: `e.${position}`,
        position,
      },
    }),
  ),
  deleteWebhook: draft([webhook], (_names, [name]) => ({ name: 'deleteWebhook', input: { name } })),
  rotateWebhook: draft([webhook], (_names, [name]) => ({
    name: 'rotateWebhook',
    input: { name, secret: 'whsec_b', keep_ms: 1000 },
  })),
  moveWebhook: draft([webhook, place], (_names, [name, position]) => ({
    name: 'moveWebhook',
    input: { name, position, cursor: `e.${position}`, batch_id: 'moved' },
  })),
  stepDelivery: draft(
    [webhook, fc.nat(3), fc.constantFrom('n1', 'n2'), fc.boolean(), outcome, fc.constantFrom(0, 1, 2)],
    (names, [name, steps, lease, alone, found, batch]) => ({
      name: 'stepDelivery',
      input: {
        name,
        // A webhook begins with the time of its creation as its version.
        version: names.now() + steps,
        lease,
        lease_ms: 1000,
        alone,
        ...(found && { outcome: found }),
        ...(batch > 0 && {
          batch: { id: `b${batch}`, end: batch, cursor: `e.${batch}`, body: '{"events":[]}' },
          pushes: [{ user_id: batch, conversation_id: 1, read_up_to: steps }],
        }),
        scanned: steps,
        push_scanned: steps,
      },
    }),
  ),
  report: draft([user, place, maybe(content)], (names, [by, message, comment]) => ({
    name: 'report',
    input: { user_id: names.user(by), message_id: names.message(message), reason: 'spam', comment },
  })),
  setReport: draft(
    [place, fc.nat({ max: 5 }), fc.constantFrom('open', 'resolved'), maybe(fc.constantFrom(null, 'n'))],
    (names, [message, later, status, note]) => ({
      name: 'setReport',
      input: { id: names.message(message) + later, status, note },
    }),
  ),
  suspend: draft([user, maybe(fc.constantFrom(0, 1000, 86_400_000))], (names, [who, later]) => ({
    name: 'suspend',
    input: {
      username: names.username(who),
      reason: 'spam',
      ...(later !== undefined && { until: 1_700_000_000_000 + later }),
    },
  })),
  endSuspension: draft([user], (names, [who]) => ({
    name: 'endSuspension',
    input: { username: names.username(who) },
  })),
  probe: draft([], () => ({ name: 'probe', input: {} })),
  publishSecret: draft([], () => ({ name: 'publishSecret', input: {} })),
}

/** An input that storage refuses, which the schemas do not let through. */
const refused = draft([user, user], (names, [from, to]) => ({
  name: 'send',
  input: { sender_id: names.user(from), receiver_username: names.username(to), content: null as never },
}))

const WEIGHTS: Partial<Record<OperationName, number>> = {
  send: 30,
  mark: 10,
  removeUser: 1,
  revokeEverybody: 1,
  suspend: 1,
}

const anyDraft = fc.oneof(
  ...Object.entries(drafts).map(([name, arbitrary]) => ({
    arbitrary,
    weight: 4 * (WEIGHTS[name as OperationName] ?? 4),
  })),
  { arbitrary: refused, weight: 2 },
)

/** A batch, after the time has moved by some milliseconds. */
const batch = fc.record({
  drafts: fc.array(anyDraft, { minLength: 1, maxLength: 50, size: 'max' }),
  later: fc.constantFrom(0, 10, 700, 1000, -5000, 40 * 86_400_000),
})

t.test('SQLite and PostgreSQL give the same outcomes, changes and rows', { skip }, async (t) => {
  const folder = await temporaryFolder(t)
  const outcomes = new Map<string, number>()
  const used = new Set<string>()
  let both: ReturnType<typeof openBoth> | undefined
  let now = 1_700_000_000_000
  let runs = 0

  const run = async (batches: { drafts: Draft[]; later: number }[]) => {
    const { sqlite, postgres, setClock, rows } = await (both ??= openBoth(t, folder))
    runs += 1
    const own = (text: string) => `${text}-${runs}`
    const username = (index: number) => own(`user${index}`)
    const users: number[] = []
    const conversations: number[] = []
    const messages: number[] = []
    const names: Names = {
      user: (index) => users[index] ?? 1e9,
      username,
      conversation: (index) => conversations.at(-1 - index) ?? 1e9,
      message: (index) => messages.at(-1 - index) ?? 1e9,
      own,
      now: () => now,
    }
    const step = async (all: readonly Operation[]) => {
      await setClock(now)
      const [one, two] = await Promise.all([sqlite.run(all), postgres.run(all)])
      for (const [index, operation] of all.entries()) {
        used.add(operation.name)
        const [expected, got] = [plain(one[index]), plain(two[index])] as [{ code?: string }, unknown]
        const what = expected.code ?? Object.keys(expected)[0] ?? 'value'
        outcomes.set(what, (outcomes.get(what) ?? 0) + 1)
        same(
          `the outcome of ${JSON.stringify(operation)}, ${index} of ${JSON.stringify(all)},`,
          expected,
          got,
        )
      }
      const changes = sqlite.takeChanges()
      same(`the changes of ${JSON.stringify(all)}`, plain(changes), plain(postgres.takeChanges()))
      for (const { number, event } of changes) {
        if (event.type === 'message') messages.push(number)
        if (event.type === 'conversation' && !conversations.includes(event.conversation_id))
          conversations.push(event.conversation_id)
      }
      return one
    }
    const created = await step(
      Array.from({ length: USERS }, (_, index) => ({
        name: 'createUser' as const,
        input: { username: username(index), password_hash: 'h1', family: 'f' },
      })),
    )
    for (const outcome of created) users.push((outcome as { value: { user: { id: number } } }).value.user.id)
    for (const { drafts: made, later } of batches) {
      now += later
      await step(made.map((make) => make(names)))
    }
    const found = await rows()
    for (const [table, expected] of Object.entries(found.sqlite))
      same(`the rows of ${table}`, expected, found.postgres[table])
  }

  const result = await fc.check(
    fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 6 }), async (batches) => {
      try {
        await run(batches)
      } catch (error) {
        // The two databases are no longer equal, so the next run creates new ones.
        both = undefined
        throw error
      }
    }),
    { numRuns: RUNS, endOnFailure: !SHRINKS, ...SEED },
  )
  t.comment(`seed ${result.seed}; outcomes: ${JSON.stringify(Object.fromEntries(outcomes))}`)
  if (result.failed) throw result.errorInstance
  if (RUNS >= 40)
    t.strictSame([...used].toSorted(), Object.keys(operations).toSorted(), 'every operation was run')
})

/** The value as JSON carries it: members that are undefined are absent. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null))

const same = (what: string, expected: unknown, got: unknown) => {
  if (isDeepStrictEqual(expected, got)) return
  if (Array.isArray(expected) && Array.isArray(got)) {
    const [all, others]: [unknown[], unknown[]] = [expected, got]
    // Reports only the first element that differs.
    const index = all.findIndex((value, each) => !isDeepStrictEqual(value, others[each]))
    what += `, of ${all.length} and ${others.length}, at ${index}`
    ;[expected, got] = [all[index], others[index]]
  }
  throw new Error(`${what} differ: SQLite ${JSON.stringify(expected)}, PostgreSQL ${JSON.stringify(got)}`)
}
