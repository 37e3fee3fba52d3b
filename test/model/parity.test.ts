import t from 'tap'
import type { Me } from '../../schemas/account.ts'
import type { Conversation } from '../../schemas/conversation.ts'
import type { SentMessage } from '../../schemas/message.ts'
import type { Problem } from '../../schemas/problem.ts'
import { issuedToken, issuerEnv, rsaIssuer } from '../support/issuer.ts'
import { createApp } from '../support/server-key.ts'
import { person, type Person, type Server, startServer } from '../support/server.ts'
import type { TestSocket } from '../support/socket.ts'
import { counterOf, loseNextBatch } from '../support/stream.ts'

/** The start of a scenario: ann and bob have exchanged messages, both share a group with cid, and ann has left another. */
type Stage = {
  server: Server
  asApp: Awaited<ReturnType<typeof createApp>>['call']
  ann: Person
  bob: Person
  cid: Person
  direct: SentMessage
  reply: SentMessage
  group: Conversation
  left: Conversation
  theirs: Conversation
}

type Scenario = {
  /** `ok`, or the error code. */
  code: string
  prepare?: (stage: Stage) => Promise<unknown>
  http: (stage: Stage) => readonly [method: string, path: string, body?: object]
  frame: (stage: Stage) => Record<string, unknown>
  /** Whether the error of a frame has other words. A body may be empty, a frame always has members. */
  inOtherWords?: true
}

const send = (code: string, body: (stage: Stage) => object, prepare?: Scenario['prepare']): Scenario => ({
  code,
  http: (stage) => ['POST', '/send', body(stage)],
  frame: (stage) => ({ type: 'send', ...body(stage) }),
  ...(prepare && { prepare }),
})
const edit = (
  code: string,
  id: (stage: Stage) => number,
  content: string,
  prepare?: Scenario['prepare'],
): Scenario => ({
  code,
  http: (stage) => ['PATCH', `/messages/${id(stage)}`, { content }],
  frame: (stage) => ({ type: 'edit', message_id: id(stage), content }),
  ...(prepare && { prepare }),
})
const remove = (code: string, id: (stage: Stage) => number, prepare?: Scenario['prepare']): Scenario => ({
  code,
  http: (stage) => ['DELETE', `/messages/${id(stage)}`],
  frame: (stage) => ({ type: 'delete', message_id: id(stage) }),
  ...(prepare && { prepare }),
})
const mark = (code: string, id: (stage: Stage) => number, marks: (stage: Stage) => object): Scenario => ({
  code,
  http: (stage) => ['PUT', `/conversations/${id(stage)}/receipt`, marks(stage)],
  frame: (stage) => ({ type: 'receipt', conversation_id: id(stage), ...marks(stage) }),
})

const block = ({ ann, bob }: Stage) => bob.call('PUT', `/blocks/${ann.username}`)
const removeBob = ({ bob }: Stage) => bob.call('DELETE', '/users/me')
const takeDown = ({ asApp, direct }: Stage) => asApp('DELETE', `/messages/${direct.id}`)
const suspendBob = ({ asApp, bob }: Stage) =>
  asApp('PUT', `/users/${bob.username}/suspension`, { reason: 'Spam' })
/** The tokens and sockets of ann work until the server notices that it lost a batch. The writer knows of the suspension. */
const suspendUnnoticed = async ({ server, ann }: Stage) => {
  loseNextBatch(server)
  await server.app.chat.writer.append('suspend', { username: ann.username, reason: 'Spam' })
}
const toBob = ({ bob }: Stage) => ({ receiver_username: bob.username, content: 'hi' })
const keyed = ({ bob }: Stage) => ({ receiver_username: bob.username, content: 'keyed', client_id: 'key' })

const scenarios: Record<string, Scenario> = {
  'a first message': send('ok', ({ cid }) => ({ receiver_username: cid.username, content: 'hi' })),
  'a later message': send('ok', ({ bob }) => ({
    receiver_username: bob.username,
    content: 'hi',
    client_id: 'k',
  })),
  'by conversation': send('ok', ({ direct }) => ({ conversation_id: direct.conversation_id, content: 'hi' })),
  'to a group': send('ok', ({ group }) => ({
    conversation_id: group.id,
    content: 'hi',
    metadata: { a: [1] },
  })),
  'a message to oneself': send('ok', ({ ann }) => ({
    receiver_username: ann.username,
    content: 'to myself',
  })),
  'a reply': send('ok', ({ bob, reply }) => ({
    receiver_username: bob.username,
    content: 'hi',
    reply_to: reply.id,
  })),
  'a retry': send('ok', keyed, (stage) => stage.ann.call('POST', '/send', keyed(stage))),
  'a reused key': send(
    'IDEMPOTENCY_KEY_REUSED',
    (stage) => ({ ...keyed(stage), content: 'other' }),
    (stage) => stage.ann.call('POST', '/send', keyed(stage)),
  ),
  'to nobody': send('USER_NOT_FOUND', () => ({ receiver_username: 'nobody-at-all', content: 'hi' })),
  'to an invalid name': send('VALIDATION_FAILED', () => ({
    receiver_username: 'no body',
    content: 'hi',
  })),
  'without a receiver': send('VALIDATION_FAILED', () => ({ content: 'hi' })),
  'with two receivers': send('VALIDATION_FAILED', ({ bob, group }) => ({
    receiver_username: bob.username,
    conversation_id: group.id,
    content: 'hi',
  })),
  'empty content': send('VALIDATION_FAILED', ({ bob }) => ({ receiver_username: bob.username, content: '' })),
  'content that is too long': send('VALIDATION_FAILED', ({ bob }) => ({
    receiver_username: bob.username,
    content: 'x'.repeat(4097),
  })),
  'ill-formed content': send('VALIDATION_FAILED', ({ bob }) => ({
    receiver_username: bob.username,
    content: '\ud800',
  })),
  'content that is a number': send('VALIDATION_FAILED', ({ bob }) => ({
    receiver_username: bob.username,
    content: 123,
  })),
  'an unknown member': send('VALIDATION_FAILED', ({ bob }) => ({
    receiver_username: bob.username,
    content: 'x',
    id_: 1,
  })),
  'too much metadata': send('VALIDATION_FAILED', ({ bob }) => ({
    receiver_username: bob.username,
    content: 'x',
    metadata: { a: 'x'.repeat(1024) },
  })),
  'during a block': send('BLOCKED', toBob, block),
  'to a group of other users': send('CONVERSATION_NOT_FOUND', ({ theirs }) => ({
    conversation_id: theirs.id,
    content: 'hi',
  })),
  'to a group after leaving it': send('FORBIDDEN', ({ left }) => ({
    conversation_id: left.id,
    content: 'hi',
  })),
  'to a group after the app removed the sender': send(
    'FORBIDDEN',
    ({ group }) => ({ conversation_id: group.id, content: 'hi' }),
    ({ asApp, ann, group }) => asApp('DELETE', `/groups/${group.id}/members/${ann.username}`),
  ),
  'to a suspended user': send('ok', toBob, suspendBob),
  'to a removed user': send('USER_NOT_FOUND', toBob, removeBob),
  'to a conversation with a removed user': send(
    'FORBIDDEN',
    ({ direct }) => ({ conversation_id: direct.conversation_id, content: 'hi' }),
    removeBob,
  ),
  'by a suspended user': send('ACCOUNT_SUSPENDED', toBob, suspendUnnoticed),
  'a reply to another conversation': send('MESSAGE_NOT_FOUND', ({ group, direct }) => ({
    conversation_id: group.id,
    content: 'hi',
    reply_to: direct.id,
  })),
  'an edit': edit('ok', ({ direct }) => direct.id, 'edited'),
  'an edit that changes nothing': edit('ok', ({ direct }) => direct.id, 'hello'),
  'an edit of another user’s message': edit('FORBIDDEN', ({ reply }) => reply.id, 'edited'),
  'an edit of an unknown message': edit('MESSAGE_NOT_FOUND', () => 999_999, 'edited'),
  'an edit of a deleted message': edit(
    'MESSAGE_DELETED',
    ({ direct }) => direct.id,
    'edited',
    ({ ann, direct }) => ann.call('DELETE', `/messages/${direct.id}`),
  ),
  'an edit of a message that the app deleted': edit(
    'MESSAGE_DELETED',
    ({ direct }) => direct.id,
    'edited',
    takeDown,
  ),
  'an edit by a suspended user': edit(
    'ACCOUNT_SUSPENDED',
    ({ direct }) => direct.id,
    'edited',
    suspendUnnoticed,
  ),
  'an edit during a block': edit('BLOCKED', ({ direct }) => direct.id, 'edited', block),
  'an edit to content that is too long': edit(
    'VALIDATION_FAILED',
    ({ direct }) => direct.id,
    'x'.repeat(4097),
  ),
  'a deletion': remove('ok', ({ direct }) => direct.id),
  'a deletion during a block': remove('ok', ({ direct }) => direct.id, block),
  'a second deletion': remove(
    'ok',
    ({ direct }) => direct.id,
    ({ ann, direct }) => ann.call('DELETE', `/messages/${direct.id}`),
  ),
  'a deletion of a message that the app deleted': remove('ok', ({ direct }) => direct.id, takeDown),
  'a deletion by a suspended user': remove('ACCOUNT_SUSPENDED', ({ direct }) => direct.id, suspendUnnoticed),
  'a deletion of another user’s message': remove('FORBIDDEN', ({ reply }) => reply.id),
  'a mark': mark(
    'ok',
    ({ direct }) => direct.conversation_id,
    ({ reply }) => ({ read_up_to: reply.id }),
  ),
  'a mark that does not move': mark(
    'ok',
    ({ group }) => group.id,
    () => ({ read_up_to: 1 }),
  ),
  'a receipt without a mark': {
    ...mark(
      'VALIDATION_FAILED',
      ({ group }) => group.id,
      () => ({}),
    ),
    inOtherWords: true,
  },
  'a mark that is no id': mark(
    'VALIDATION_FAILED',
    ({ group }) => group.id,
    () => ({ read_up_to: -1 }),
  ),
  'a mark in a group of other users': mark(
    'CONVERSATION_NOT_FOUND',
    ({ theirs }) => theirs.id,
    () => ({ read_up_to: 1 }),
  ),
  'a mark in a group after leaving it': mark(
    'FORBIDDEN',
    ({ left }) => left.id,
    () => ({ read_up_to: 1 }),
  ),
}

/** How ann performs the request of a scenario. */
const ways = [
  'over HTTP',
  'in a frame',
  'by a server key on her behalf',
  'in a frame, with a token of the app',
] as const
type Way = (typeof ways)[number]

/** Whose request has no valid shape does not matter. */
const waysOf = ({ code }: Scenario) => (code === 'VALIDATION_FAILED' ? ways.slice(0, 2) : ways)

/** Frames that come at any time: the answer to `settle`, and profiles. */
const unordered = new Set(['pong', 'user'])

t.test(
  'HTTP, the socket and a server key write the same rows, give the same answers and publish the same events',
  async (t) => {
    const server = await startServer(t, {
      ...issuerEnv(rsaIssuer),
      RATE_LIMIT_LOGIN: '0',
      RATE_LIMIT_SEND: '0',
    })
    const { call: asApp } = await createApp(server)
    let runs = 0

    const perform = async (scenario: Scenario, way: Way) => {
      runs += 1
      const base = {
        number: await number('counter', 'last'),
        users: await number('users', 'id'),
        conversations: await number('conversations', 'id'),
      }
      const stage = await setUp(`-${runs}`, way.endsWith('of the app'))
      const { ann, bob, cid } = stage
      const acting = await ann.connect()
      await scenario.prepare?.(stage)
      const watching = await Promise.all([ann, bob, cid].map(watch))
      const before = { counter: await counterOf(cid), rows: await rowsSince(base) }
      const answer = way.startsWith('in a frame')
        ? await overSocket(acting, scenario.frame(stage))
        : await overHttp(way === 'over HTTP' ? ann.call : onBehalfOf(ann), scenario.http(stage))
      for (const socket of watching) await socket?.settle()
      const frames = watching.map((socket) =>
        relative(
          (socket?.frames ?? []).slice(1).filter(({ type }) => !unordered.has(type)),
          base,
        ),
      )
      const after = { counter: await counterOf(cid), rows: await rowsSince(base) }
      for (const socket of [...watching, acting]) socket?.socket.terminate()
      return {
        answer: relative(answer, base) as typeof answer,
        before,
        after,
        frames,
        rows: relative(after.rows, base),
        numbers: after.counter - before.counter,
      }
    }

    /** @returns undefined for an account that was removed or suspended */
    const watch = (one: Person) => one.connect().catch(() => undefined)

    const onBehalfOf =
      ({ username }: Person): Person['call'] =>
      (method, path, body) =>
        asApp(method, path, body, { 'on-behalf-of': username })

    /** @returns ann as a user of the issuer, whose account her token creates */
    const enter = async (username: string) => {
      const token = issuedToken(username)
      const { id } = (await server.call<Me>('GET', '/users/me', { token })).body
      return person(t, server.url, { token, expires_at: '', user: { id, username } })
    }

    const setUp = async (suffix: string, isIssued: boolean): Promise<Stage> => {
      const ann = await (isIssued ? enter : server.login)(`ann${suffix}`)
      const bob = await server.login(`bob${suffix}`)
      const cid = await server.login(`cid${suffix}`)
      const make = (owner: Person, ...others: Person[]) =>
        owner.createGroup(
          'g',
          others.map(({ username }) => username),
        )
      const direct = await ann.send(bob.username, 'hello')
      const reply = await bob.send(ann.username, 'hello too')
      const group = await make(ann, bob, cid)
      const left = await make(bob, ann)
      await ann.call('DELETE', `/groups/${left.id}/members/${ann.username}`)
      return { server, asApp, ann, bob, cid, direct, reply, group, left, theirs: await make(cid, bob) }
    }

    const number = async (table: string, column: string) => {
      const [row] = await server.rows(`select max(${column}) as n from ${table}`)
      return Number(row?.n ?? 0)
    }

    type Base = { number: number; users: number; conversations: number }
    const rowsSince = async (base: Base) => ({
      messages: await server.rows(`select * from messages where id > ${base.number} order by id`),
      members: await server.rows(
        `select * from members where user_id > ${base.users} order by user_id, from_number`,
      ),
      conversations: await server.rows(
        `select * from conversations where id > ${base.conversations} order by id`,
      ),
      blocks: await server.rows(`select * from blocks where blocker_id > ${base.users}`),
    })

    for (const [name, scenario] of Object.entries(scenarios)) {
      t.test(name, async (t) => {
        const first = await perform(scenario, 'over HTTP')
        for (const way of waysOf(scenario)) {
          const { answer, rows, frames, numbers, before, after } =
            way === 'over HTTP' ? first : await perform(scenario, way)
          t.equal(answer.code, scenario.code, way)
          if (!scenario.inOtherWords) t.strictSame(answer, first.answer, `${way}: the same answer`)
          t.strictSame(rows, first.rows, `${way}: the same rows`)
          t.strictSame(frames, first.frames, `${way}: the same events on all other devices`)
          t.equal(numbers, first.numbers, `${way}: the same count of numbers`)
          if (scenario.code === 'ok') continue
          t.strictSame(after, before, `${way}: no row and no number`)
          t.strictSame(frames.flat(), [], `${way}: no frame`)
        }
      })
    }
  },
)

type Answer = { code: string; body: object | undefined; isRepeat: boolean }

/** Without the id of the request, and without `in`, which says whether a member is in a body or in a frame. */
const refusal = ({ request_id: _, errors, ...problem }: Problem): Answer => ({
  code: problem.code,
  body: { ...problem, errors: errors?.map(({ in: _place, ...error }) => error) },
  isRepeat: false,
})

const overHttp = async (call: Person['call'], [method, path, body]: ReturnType<Scenario['http']>) => {
  const { status, body: answer, headers } = await call(method, path, body)
  if (status !== 200) return refusal(answer)
  // `status` of a sent message is for clients of the first server.
  const { status: _, ...message } = answer
  return { code: 'ok', body: message, isRepeat: headers.has('idempotent-replayed') }
}

const overSocket = async (socket: TestSocket, frame: Record<string, unknown>): Promise<Answer> => {
  const reply = await socket.request(frame)
  if (reply.type === 'error') return refusal(reply.problem)
  const { message, receipt, duplicate = false } = reply as Extract<typeof reply, { type: 'ack' }>
  return { code: 'ok', body: message ?? receipt, isRepeat: duplicate }
}

/** Ids, numbers and times differ between runs. Replaces them by their offset from the start of the run. */
const relative = (
  value: unknown,
  base: { number: number; users: number; conversations: number },
): unknown => {
  if (Array.isArray(value)) return value.map((entry) => relative(entry, base))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => {
      if (Buffer.isBuffer(entry)) return [key, entry.toString('hex')]
      if (typeof entry === 'object') return [key, relative(entry, base)]
      if (/timestamp|_at$/.test(key)) return [key, 'a time']
      if (/^(sender|receiver|username|peer)$/.test(key)) return [key, String(entry).replace(/-\d+$/, '')]
      if (key === 'cursor') return [key, Number(String(entry).split('.')[1]) - base.number]
      const origin = /user_id|sender_id|receiver_id|low_id|high_id|ed_id|er_id/.test(key)
        ? base.users
        : key === 'conversation_id' || (key === 'id' && 'kind' in value)
          ? base.conversations
          : /^id$|number|changed|^created$|_up_to|reply_to|low_|high_/.test(key)
            ? base.number
            : undefined
      const isOpen = typeof entry !== 'number' || entry > 1e15 || entry === 0
      return [key, origin === undefined || isOpen ? entry : entry - origin]
    }),
  )
}
