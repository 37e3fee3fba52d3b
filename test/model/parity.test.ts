import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import t from 'tap'
import type { Conversation } from '../../schemas/conversation.ts'
import type { SentMessage } from '../../schemas/message.ts'
import { type Person, startServer } from '../support/server.ts'
import { counterOf } from '../support/stream.ts'

/** What a scenario begins with: ann and bob have talked, the two and cid are in a group, ann was in another. */
type Stage = {
  ann: Person
  bob: Person
  cid: Person
  direct: SentMessage
  answer: SentMessage
  group: Conversation
  left: Conversation
  theirs: Conversation
}

type Scenario = {
  /** `ok`, or the code of the refusal. */
  code: string
  prepare?: (stage: Stage) => Promise<unknown>
  http: (stage: Stage) => readonly [method: string, path: string, body?: object]
  frame: (stage: Stage) => Record<string, unknown>
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
const keyed = ({ bob }: Stage) => ({ receiver_username: bob.username, content: 'keyed', client_id: 'key' })

const scenarios: Record<string, Scenario> = {
  'a first message': send('ok', ({ cid }) => ({ receiver_username: cid.username, content: 'hi' })),
  'a further one': send('ok', ({ bob }) => ({
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
  'a note': send('ok', ({ ann }) => ({ receiver_username: ann.username, content: 'to myself' })),
  'a reply': send('ok', ({ bob, answer }) => ({
    receiver_username: bob.username,
    content: 'hi',
    reply_to: answer.id,
  })),
  'a repeat': send('ok', keyed, (stage) => stage.ann.call('POST', '/send', keyed(stage))),
  'a key used again': send(
    'IDEMPOTENCY_KEY_REUSED',
    (stage) => ({ ...keyed(stage), content: 'other' }),
    (stage) => stage.ann.call('POST', '/send', keyed(stage)),
  ),
  'to nobody': send('USER_NOT_FOUND', () => ({ receiver_username: 'nobody-at-all', content: 'hi' })),
  'to a name that can not be': send('VALIDATION_FAILED', () => ({
    receiver_username: 'no body',
    content: 'hi',
  })),
  'without a receiver': send('VALIDATION_FAILED', () => ({ content: 'hi' })),
  'with two receivers': send('VALIDATION_FAILED', ({ bob, group }) => ({
    receiver_username: bob.username,
    conversation_id: group.id,
    content: 'hi',
  })),
  empty: send('VALIDATION_FAILED', ({ bob }) => ({ receiver_username: bob.username, content: '' })),
  'too long': send('VALIDATION_FAILED', ({ bob }) => ({
    receiver_username: bob.username,
    content: 'x'.repeat(4097),
  })),
  'ill-formed': send('VALIDATION_FAILED', ({ bob }) => ({
    receiver_username: bob.username,
    content: '\ud800',
  })),
  'not a text': send('VALIDATION_FAILED', ({ bob }) => ({ receiver_username: bob.username, content: 123 })),
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
  'across a block': send('BLOCKED', ({ bob }) => ({ receiver_username: bob.username, content: 'hi' }), block),
  'to a stranger’s group': send('CONVERSATION_NOT_FOUND', ({ theirs }) => ({
    conversation_id: theirs.id,
    content: 'hi',
  })),
  'to a group that one left': send('FORBIDDEN', ({ left }) => ({ conversation_id: left.id, content: 'hi' })),
  'a reply to elsewhere': send('MESSAGE_NOT_FOUND', ({ group, direct }) => ({
    conversation_id: group.id,
    content: 'hi',
    reply_to: direct.id,
  })),
  'an edit': edit('ok', ({ direct }) => direct.id, 'edited'),
  'an edit that changes nothing': edit('ok', ({ direct }) => direct.id, 'hello'),
  'an edit of another’s': edit('FORBIDDEN', ({ answer }) => answer.id, 'edited'),
  'an edit of nothing': edit('MESSAGE_NOT_FOUND', () => 999_999, 'edited'),
  'an edit of a deleted one': edit(
    'MESSAGE_DELETED',
    ({ direct }) => direct.id,
    'edited',
    ({ ann, direct }) => ann.call('DELETE', `/messages/${direct.id}`),
  ),
  'an edit across a block': edit('BLOCKED', ({ direct }) => direct.id, 'edited', block),
  'an edit to too much': edit('VALIDATION_FAILED', ({ direct }) => direct.id, 'x'.repeat(4097)),
  'a deletion': remove('ok', ({ direct }) => direct.id),
  'a deletion across a block': remove('ok', ({ direct }) => direct.id, block),
  'a deletion again': remove(
    'ok',
    ({ direct }) => direct.id,
    ({ ann, direct }) => ann.call('DELETE', `/messages/${direct.id}`),
  ),
  'a deletion of another’s': remove('FORBIDDEN', ({ answer }) => answer.id),
  'a mark': mark(
    'ok',
    ({ direct }) => direct.conversation_id,
    ({ answer }) => ({ read_up_to: answer.id }),
  ),
  'a mark that moves nothing': mark(
    'ok',
    ({ group }) => group.id,
    () => ({ read_up_to: 1 }),
  ),
  'no mark': mark(
    'VALIDATION_FAILED',
    ({ group }) => group.id,
    () => ({}),
  ),
  'a mark in a stranger’s group': mark(
    'CONVERSATION_NOT_FOUND',
    ({ theirs }) => theirs.id,
    () => ({ read_up_to: 1 }),
  ),
  'a mark in a group that one left': mark(
    'FORBIDDEN',
    ({ left }) => left.id,
    () => ({ read_up_to: 1 }),
  ),
}

t.test(
  'HTTP and the socket: the same rows, codes and broadcasts, and of what is refused nothing',
  async (t) => {
    const server = await startServer(t, { RATE_LIMIT_LOGIN: '0', RATE_LIMIT_SEND: '0' })
    const db = new Sqlite(join(server.folder, 'messenger.db'), { readonly: true })
    t.teardown(() => db.close())
    let runs = 0

    const perform = async (scenario: Scenario, door: 'http' | 'frame') => {
      runs += 1
      const base = {
        number: number('counter', 'last'),
        users: number('users', 'id'),
        talks: number('conversations', 'id'),
      }
      const stage = await setTheStage(`-${runs}`)
      await scenario.prepare?.(stage)
      const people = [stage.ann, stage.bob, stage.cid]
      const watching = await Promise.all(people.map((person) => person.connect()))
      const acting = await stage.ann.connect()
      const before = { counter: await counterOf(stage.ann), rows: rowsSince(base) }
      let code = 'ok'
      if (door === 'http') {
        const [method, path, body] = scenario.http(stage)
        const reply = await stage.ann.call(method, path, body)
        if (reply.status !== 200) code = reply.body.code
      } else {
        const answer = await acting.ask(scenario.frame(stage))
        if (answer.type === 'error') code = answer.problem.code
      }
      for (const socket of watching) await socket.settle()
      const frames = watching.map((socket) =>
        relative(
          socket.frames.slice(1).filter(({ type }) => type !== 'pong'),
          base,
        ),
      )
      const after = { counter: await counterOf(stage.ann), rows: rowsSince(base) }
      for (const socket of [...watching, acting]) socket.socket.terminate()
      return {
        code,
        before,
        after,
        frames,
        rows: relative(after.rows, base),
        given: after.counter - before.counter,
      }
    }

    const setTheStage = async (suffix: string): Promise<Stage> => {
      const ann = await server.login(`ann${suffix}`)
      const bob = await server.login(`bob${suffix}`)
      const cid = await server.login(`cid${suffix}`)
      const make = async (owner: Person, ...others: Person[]) =>
        (
          await owner.call<Conversation>('POST', '/groups', {
            title: 'g',
            members: others.map(({ username }) => username),
          })
        ).body
      const direct = await ann.send(bob.username, 'hello')
      const answer = await bob.send(ann.username, 'hello too')
      const group = await make(ann, bob, cid)
      const left = await make(bob, ann)
      await ann.call('DELETE', `/groups/${left.id}/members/${ann.username}`)
      return { ann, bob, cid, direct, answer, group, left, theirs: await make(cid, bob) }
    }

    const number = (table: string, column: string) =>
      (db.prepare(`select max(${column}) as n from ${table}`).get() as { n: number | null }).n ?? 0

    type Base = { number: number; users: number; talks: number }
    const rowsSince = (base: Base) => ({
      messages: db.prepare('select * from messages where id > ? order by id').all(base.number),
      members: db
        .prepare('select * from members where user_id > ? order by user_id, from_number')
        .all(base.users),
      conversations: db.prepare('select * from conversations where id > ? order by id').all(base.talks),
      blocks: db.prepare('select * from blocks where blocker_id > ?').all(base.users),
    })

    for (const [name, scenario] of Object.entries(scenarios)) {
      t.test(name, async (t) => {
        const http = await perform(scenario, 'http')
        const frame = await perform(scenario, 'frame')
        t.equal(http.code, scenario.code)
        t.equal(frame.code, scenario.code)
        t.strictSame(frame.rows, http.rows, 'the same rows')
        t.strictSame(frame.frames, http.frames, 'the same broadcasts, to everybody’s other devices')
        t.equal(frame.given, http.given, 'as many numbers')
        if (scenario.code === 'ok') return
        for (const { before, after, frames } of [http, frame]) {
          t.strictSame(after, before, 'no row, no number')
          t.strictSame(frames, [[], [], []], 'no frame')
        }
      })
    }
  },
)

/** Ids, numbers and times are of their run: they are taken from where it began. */
const relative = (value: unknown, base: { number: number; users: number; talks: number }): unknown => {
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
          ? base.talks
          : /^id$|number|changed|_up_to|reply_to|low_|high_/.test(key)
            ? base.number
            : undefined
      const isOpen = typeof entry !== 'number' || entry > 1e15 || entry === 0
      return [key, origin === undefined || isOpen ? entry : entry - origin]
    }),
  )
}
