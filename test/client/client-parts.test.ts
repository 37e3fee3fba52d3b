import t from 'tap'
import { newClientId } from '../../client/src/client-id.ts'
import { EventStream } from '../../client/src/event-stream.ts'
import { login } from '../../client/src/index.ts'

t.test('client ids are rising UUIDv7s, also within a millisecond and after the clock goes back', (t) => {
  const now = Date.now() + 60_000
  const ids = Array.from({ length: 5000 }, () => newClientId(now))
  ids.push(newClientId(now - 1000), newClientId(now + 1000))
  for (const id of ids.slice(0, 3))
    t.match(id, /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
  t.strictSame(ids, ids.toSorted())
  t.equal(new Set(ids).size, ids.length)
  t.equal(Number.parseInt((ids[0] as string).replaceAll('-', '').slice(0, 12), 16), now)
  t.end()
})

t.test('EventStream calls the other listeners and reports the cursor when a listener throws', (t) => {
  const thrown: unknown[] = []
  const { queueMicrotask } = globalThis
  t.teardown(() => Object.assign(globalThis, { queueMicrotask }))
  Object.assign(globalThis, {
    queueMicrotask: (task: () => void) => {
      try {
        task()
      } catch (error) {
        thrown.push(error)
      }
    },
  })
  const cursors: string[] = []
  const events = new EventStream((cursor) => cursors.push(cursor))
  const seen: unknown[] = []
  events.on('caught_up', () => {
    throw new Error('mine')
  })
  events.on('caught_up', (event) => seen.push(event))
  events.emit({ type: 'caught_up', cursor: 'e.1' }, 'e.1')
  t.match(thrown, [{ message: 'mine' }])
  t.match(seen, [{ cursor: 'e.1' }])
  t.strictSame(cursors, ['e.1'])
  events.end()
  events.emit({ type: 'caught_up', cursor: 'e.2' }, 'e.2')
  t.equal(seen.length, 1)
  t.end()
})

t.test('EventStream reports a cursor when each iterator has processed its event or has ended', async (t) => {
  const cursors: string[] = []
  const events = new EventStream((cursor) => cursors.push(cursor))
  const [slow, quick] = [events.iterate(), events.iterate()]
  const emit = (cursor: string) => events.emit({ type: 'caught_up', cursor }, cursor)
  const first = quick.next()
  emit('e.1')
  await first
  emit('e.2')
  await quick.next()
  await slow.next()
  t.strictSame(cursors, [])
  await slow.next()
  t.strictSame(cursors, ['e.1'])
  await quick.return?.()
  t.strictSame(cursors, ['e.1'])
  await slow.return?.()
  t.strictSame(cursors, ['e.1', 'e.2'])
  const early = events.iterate()
  emit('e.3')
  await early.return?.()
  t.strictSame(cursors, ['e.1', 'e.2', 'e.3'])
  const waiting = events.iterate()
  const end = waiting.next()
  events.end()
  t.match(await end, { done: true })
})

t.test('a reply that is not from a Messenger server is a NETWORK error', async (t) => {
  const answer = (status: number, body: string, headers = {}) =>
    login('http://x', { username: 'a' }, () => Promise.resolve(new Response(body, { status, headers })))
  await t.rejects(answer(502, 'Bad gateway', { 'retry-after': '7' }), {
    code: 'NETWORK',
    retryable: true,
    retryAfter: 7,
  })
  await t.rejects(answer(404, '{}'), { code: 'NETWORK', retryable: false })
  await t.rejects(answer(200, '{'), { code: 'NETWORK' })
})
