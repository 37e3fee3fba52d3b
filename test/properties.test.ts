import * as fc from 'fast-check'
import t from 'tap'
import { closeCodes, errors } from '../src/errors.ts'
import * as counter from '../db/queries/counter.ts'
import { figures } from '../db/queries/figures.ts'
import { call, type Reply, startServer } from './support/server.ts'

const RUNS = Number(process.env.PROPERTY_RUNS ?? 150)

const server = await startServer(t, { RATE_LIMIT_LOGIN: '0', RATE_LIMIT_SEND: '0' })
const { app, url } = server
const alice = await server.login('alice')
const bob = await server.login('bob')
const { conversation_id } = await bob.send('alice', 'to be read')
await alice.call('POST', '/groups', { title: 'all', members: ['bob'] })

/** All that a request could have changed. */
const state = async () => ({
  ...(await app.database.reader.get(figures, {})),
  ...(await app.database.reader.get(counter.head, {})),
})

const problemOf = ({ status, body, headers }: Reply) => {
  const { code, status: told, detail, title, request_id } = body as Record<string, unknown>
  return (
    headers.get('content-type')?.startsWith('application/problem+json') &&
    typeof code === 'string' &&
    code in errors &&
    errors[code as keyof typeof errors].status === status &&
    told === status &&
    [detail, title, request_id].every((text) => typeof text === 'string')
  )
}

/** Whatever is asked: an answer, or a refusal in the one shape that has changed nothing. Never a fault of ours. */
const holds = async (ask: () => Promise<Reply>) => {
  const before = await state()
  const reply = await ask()
  const told = `${reply.status} ${JSON.stringify(reply.body)}`
  if (reply.status >= 500) throw new Error(`a fault: ${told}`)
  if (reply.status < 400) return
  if (!problemOf(reply)) throw new Error(`no problem: ${told}`)
  if (JSON.stringify(before) !== JSON.stringify(await state())) throw new Error(`changed by ${told}`)
}

const check = async (property: fc.IAsyncProperty<[never]> | fc.IAsyncProperty<never>) =>
  fc.assert(property as fc.IAsyncProperty<unknown>, { numRuns: RUNS })

const text = fc.string({ unit: 'binary', maxLength: 80 })
const name = fc.oneof(fc.constantFrom('alice', 'bob', 'BOB', 'nobody', '', '__proto__', 'constructor'), text)
const id = fc.oneof(
  fc.constantFrom(0, 1, 2, conversation_id, -1, 1.5, Number.MAX_SAFE_INTEGER, 2 ** 53, 1e300),
  fc.nat(),
)
const anything = fc.oneof(fc.jsonValue(), text, id, fc.constant(null))
/** Of the right type mostly, so that much gets through to the use cases. */
const mostly = (right: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 6, arbitrary: right }, { weight: 1, arbitrary: anything })
const key = fc.oneof(fc.constantFrom('k1', 'k2'), text)
const metadata = fc.dictionary(text, fc.jsonValue(), { maxKeys: 4 })
const sendMembers = {
  receiver_username: mostly(name),
  conversation_id: mostly(id),
  content: mostly(text),
  client_id: mostly(key),
  reply_to: mostly(id),
  metadata: mostly(metadata),
}
const members = {
  ...sendMembers,
  username: mostly(name),
  password: mostly(text),
  title: mostly(text),
  members: mostly(fc.array(name, { maxLength: 4 })),
  delivered_up_to: mostly(id),
  read_up_to: mostly(id),
  sender: anything,
}
/** A send that has what it needs, and perhaps more. */
const sends = fc.record(
  {
    receiver_username: mostly(fc.constantFrom('alice', 'Bob', 'nobody')),
    content: mostly(text),
    client_id: mostly(key),
    reply_to: mostly(id),
    metadata: mostly(metadata),
  },
  { requiredKeys: ['receiver_username', 'content'] },
)
const some = (of: Record<string, fc.Arbitrary<unknown>>) => fc.record(of, { requiredKeys: [] })

t.test('random bodies, at every address that takes one', async () => {
  const calls = fc.constantFrom(
    ['POST', '/login'],
    ['POST', '/send'],
    ['POST', '/groups'],
    ['PATCH', '/groups/2'],
    ['PUT', `/conversations/${conversation_id}/receipt`],
    ['PATCH', `/messages/${conversation_id + 1}`],
    ['POST', '/token'],
    ['DELETE', '/blocks/bob'],
  )
  const body = fc.oneof(
    { weight: 5, arbitrary: some(members).map((value) => JSON.stringify(value)) },
    { weight: 3, arbitrary: sends.map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: fc.json() },
    { weight: 1, arbitrary: text },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }) },
  )
  await check(
    fc.asyncProperty(calls, body, ([method = '', path = ''], given) =>
      holds(() => call(url, method, path, { token: alice.token, body: given })),
    ) as never,
  )
})

t.test('random addresses and queries', async () => {
  const value = fc.oneof(
    text,
    fc.integer().map(String),
    fc.constantFrom('1e3', '0x10', '1.0', ' 1', '-1', 'true', ''),
  )
  const query = fc
    .array(fc.tuple(fc.constantFrom('limit', 'before', 'after', 'cursor', 'prefix', 'wait', 'x'), value), {
      maxLength: 3,
    })
    .map((pairs) =>
      pairs
        .filter(([member]) => member !== 'wait')
        .map(([member, given]) => `${member}=${encodeURIComponent(given.toWellFormed())}`)
        .join('&'),
    )
  const segment = fc.oneof(
    name.map((given) => encodeURIComponent(given.toWellFormed())),
    value.map((given) => encodeURIComponent(given.toWellFormed())),
    fc.constantFrom('%', '%2e%2e', '%00', '..', '%ff', 'a%2Fb'),
  )
  const path = fc.oneof(
    segment.map((part) => `/history/${part}`),
    segment.map((part) => `/conversations/${part}`),
    segment.map((part) => `/conversations/${part}/messages`),
    segment.map((part) => `/messages/${part}`),
    segment.map((part) => `/groups/${part}/members/${part}`),
    segment.map((part) => `/blocks/${part}`),
    segment.map((part) => `/${part}`),
    fc.constantFrom('/sync', '/users', '/conversations', '/ws', '/blocks', '/'),
  )
  const method = fc.constantFrom('GET', 'GET', 'GET', 'PUT', 'PATCH', 'OPTIONS')
  await check(
    fc.asyncProperty(method, path, query, (verb, address, search) =>
      holds(async () => {
        const reply = await fetch(`${url}${address}?${search}`, {
          method: verb,
          headers: { authorization: `Bearer ${alice.token}` },
        })
        const body = await reply.text()
        const isJson = reply.headers.get('content-type')?.includes('json')
        return { status: reply.status, headers: reply.headers, body: isJson ? JSON.parse(body) : body }
      }),
    ) as never,
  )
})

t.test('random headers', async () => {
  const ascii = fc.string({ unit: 'grapheme-ascii', maxLength: 200 })
  const names = fc.constantFrom(
    'authorization',
    'content-type',
    'idempotency-key',
    'origin',
    'accept',
    'x-forwarded-for',
    'cookie',
    'if-none-match',
    'range',
    'x-request-id',
  )
  await check(
    fc.asyncProperty(fc.dictionary(names, ascii), (headers) =>
      holds(() =>
        call(url, 'POST', '/send', {
          token: alice.token,
          body: { receiver_username: 'alice', content: 'x' },
          headers,
        }),
      ),
    ) as never,
  )
})

t.test('random frames: each is answered in its shape, or closes with a code of the table', async (t) => {
  const types = fc.constantFrom(
    'send',
    'edit',
    'delete',
    'receipt',
    'typing',
    'watch',
    'auth',
    'ping',
    'hello',
    '__proto__',
    'constructor',
    'toString',
  )
  const frame = fc.oneof(
    {
      weight: 6,
      arbitrary: some({
        type: mostly(types),
        ...members,
        message_id: mostly(id),
        usernames: mostly(fc.array(name, { maxLength: 3 })),
        token: mostly(text),
      }).map((value) => JSON.stringify(value)),
    },
    { weight: 3, arbitrary: sends.map((value) => JSON.stringify(value)) },
    {
      weight: 2,
      arbitrary: fc
        .record({ type: fc.constantFrom('edit', 'delete'), message_id: id, content: text })
        .map(({ type, message_id, content }) =>
          JSON.stringify({ type, message_id, ...(type === 'edit' && { content }) }),
        ),
    },
    {
      weight: 2,
      arbitrary: fc
        .record({ type: fc.constantFrom('receipt', 'typing'), conversation_id: id })
        .map((value) => JSON.stringify({ ...value, ...(value.type === 'receipt' && { read_up_to: 1 }) })),
    },
    { weight: 1, arbitrary: fc.json() },
    { weight: 1, arbitrary: text },
  )
  let socket = await alice.connect()
  const replies = new Set<string>()
  await check(
    fc.asyncProperty(frame, async (given) => {
      const before = await state()
      const seen = socket.frames.length
      socket.send(given)
      const asked = await socket.ask({ type: 'ping' }).catch(() => undefined)
      // What waits for the disk is answered after the pong.
      await app.database.writer.append('probe', {})
      if (asked) await socket.ask({ type: 'ping' }).catch(() => undefined)
      const answers = socket.frames.slice(seen).filter(({ type }) => type === 'ack' || type === 'error')
      for (const answer of answers) {
        replies.add(answer.type === 'error' ? answer.problem.code : 'ack')
        if (answer.type !== 'error') continue
        if (answer.problem.status >= 500) throw new Error(JSON.stringify(answer))
        if (!(answer.problem.code in errors)) throw new Error(JSON.stringify(answer))
        if (JSON.stringify(before) !== JSON.stringify(await state())) throw new Error(JSON.stringify(answer))
      }
      if (socket.socket.readyState === socket.socket.OPEN) return
      const { code } = await socket.closed
      if (!(code in closeCodes)) throw new Error(`closed with ${code}`)
      socket = await alice.connect()
    }) as never,
  )
  t.ok(replies.size > 3, [...replies].join(', '))
})

t.test('and the server is as well as before', async (t) => {
  t.match(await call(url, 'GET', '/health/ready'), { status: 200 })
  t.match(await bob.history('alice', '?limit=1000'), [{ content: 'to be read' }])
})
