import t from 'tap'
import type { SyncPage } from '../../schemas/sync.ts'
import { dial, rawRequest } from '../support/raw.ts'
import { type Person, startServer } from '../support/server.ts'
import { headOf, nextWait } from '../support/stream.ts'

t.test('the event stream over HTTP', async (t) => {
  const server = await startServer(t)
  const alice = await server.login('alice')
  const bob = await server.login('bob')
  const carol = await server.login('carol')
  const sync = (query: string) => alice.call<SyncPage>('GET', `/sync?${query}`)

  t.test('without a cursor it returns the head and no events', async (t) => {
    await bob.send('alice', 'before')
    const { body } = await sync('')
    t.strictSame([body.events, body.more], [[], false])
    t.strictSame((await sync(`cursor=${body.cursor}`)).body, body)
    t.strictSame((await sync('wait=30')).body, body, 'it returns at once')
  })

  t.test('it returns the frames of the socket, in pages that end', async (t) => {
    const cursor = await headOf(alice)
    const socket = await alice.connect()
    for (let i = 0; i < 5; i += 1) await bob.send('alice', `message ${i}`)
    await carol.send('carol', 'a note')
    await socket.wait('message', ({ content }) => content === 'message 4')
    const events: unknown[] = []
    let page = { cursor, more: true, events: [] } as SyncPage
    while (page.more) {
      page = (await sync(`limit=2&cursor=${page.cursor}`)).body
      t.ok(page.events.length <= 2)
      events.push(...page.events)
    }
    t.strictSame(events, socket.frames.slice(1))
    t.strictSame((await sync(`cursor=${page.cursor}`)).body.events, [])
  })

  t.test('a long poll ends at once on an event for its user, and not on other events', async (t) => {
    const cursor = await headOf(alice)
    const isWaiting = nextWait(server)
    const waiting = sync(`wait=30&cursor=${cursor}`)
    await isWaiting
    await carol.send('bob', 'none of hers')
    await bob.send('alice', 'there')
    const { body } = await waiting
    t.match(body, { events: [{ type: 'message', content: 'there' }], more: false })
    t.equal(body.events.length, 1)
  })

  t.test('a long poll ends without events at its timeout', async (t) => {
    const cursor = await headOf(alice)
    const isWaiting = nextWait(server)
    const waiting = sync(`wait=1&cursor=${cursor}`)
    await isWaiting
    await carol.send('bob', 'none of hers')
    const { status, body } = await waiting
    t.match([status, body.events, body.more], [200, [], false])
    t.not(body.cursor, cursor, 'the cursor moved past the events of other users')
  })

  t.test('a long poll ends when its token ends, and not before', async (t) => {
    const other = await server.login('alice')
    const cursor = await headOf(alice)
    const isWaiting = nextWait(server)
    const waiting = alice.call('GET', `/sync?wait=30&cursor=${cursor}`)
    await isWaiting
    const alsoWaiting = nextWait(server)
    const ended = other.call('GET', `/sync?wait=30&cursor=${cursor}`)
    await alsoWaiting
    await other.call('POST', '/logout')
    t.match(await ended, { status: 401, body: { code: 'UNAUTHORIZED' } })
    await bob.send('alice', 'still there')
    t.match(await waiting, { status: 200, body: { events: [{ content: 'still there' }] } })
  })

  t.test('a long poll never outlives its token', async (t) => {
    const brief = await startServer(t, { TOKEN_TTL: '1' })
    const dora = await brief.login('dora')
    const { body } = await dora.call<SyncPage>('GET', '/sync')
    const { status } = await dora.call('GET', `/sync?wait=30&cursor=${body.cursor}`)
    t.ok(status === 200 || status === 401, 'it ended within the second')
  })

  t.test('a stopping server answers its long polls', async (t) => {
    const cursor = await headOf(alice)
    const isWaiting = nextWait(server)
    const waiting = sync(`wait=30&cursor=${cursor}`)
    await isWaiting
    const closed = server.app.close()
    t.match(await waiting, { status: 200, body: { events: [], cursor } })
    await closed
  })
})

t.test('long polls count as sockets: 503 above the server limit, 429 above the user limit', async (t) => {
  const server = await startServer(t, { MAX_SOCKETS: '3', MAX_SOCKETS_PER_USER: '2' })
  const [alice, bob, carol] = [
    await server.login('alice'),
    await server.login('bob'),
    await server.login('carol'),
  ]
  const cursor = await headOf(alice)
  const wait = async (person: Person) => {
    const isWaiting = nextWait(server)
    const reply = person.call<SyncPage>('GET', `/sync?wait=30&cursor=${cursor}`)
    await isWaiting
    return { reply }
  }
  const refused = async (person: Person, status: number, code: string) => {
    const reply = await person.call('GET', `/sync?wait=30&cursor=${cursor}`)
    t.match(reply, { status, body: { code } })
    t.ok(Number(reply.headers.get('retry-after')) > 0, 'with a retry hint')
  }
  const waiting = [await wait(alice), await wait(alice)]
  await refused(alice, 429, 'RATE_LIMITED')
  waiting.push(await wait(bob))
  await refused(carol, 503, 'OVERLOADED')
  await t.rejects(carol.connect(), /refused/, 'new sockets are refused')
  t.match(await carol.call('GET', `/sync?cursor=${cursor}`), { status: 200 }, 'a call without wait works')
  await alice.send('bob', 'there')
  for (const { reply } of waiting) t.match(await reply, { status: 200, body: { events: [{}, {}] } })
  const socket = await carol.connect()
  t.match(await socket.request({ type: 'ping' }), { type: 'pong' }, 'a finished long poll makes room')
})

t.test('a disconnected client does not count as a long poll', async (t) => {
  const server = await startServer(t, { MAX_SOCKETS_PER_USER: '1' })
  const alice = await server.login('alice')
  const path = `/sync?wait=30&cursor=${await headOf(alice)}`
  const isWaiting = nextWait(server)
  const connection = await dial(t, server.url)
  connection.write(rawRequest('GET', path, alice.token))
  await isWaiting
  t.match(await alice.call('GET', path), { status: 429 }, 'the limit is one')
  connection.socket.destroy()
  const isWaitingNow = nextWait(server)
  const again = async (): Promise<unknown> => {
    const reply = await alice.call('GET', path)
    return reply.status === 429 ? again() : reply
  }
  const reply = again()
  await isWaitingNow
  await alice.send('alice', 'a note')
  t.match(await reply, { status: 200, body: { events: [{}, {}] } })
})

t.test(
  'of many simultaneous long polls of one user, 32 wait by default and the others are refused',
  async (t) => {
    const server = await startServer(t)
    const alice = await server.login('alice')
    const path = `/sync?wait=30&cursor=${await headOf(alice)}`
    const refused = Promise.withResolvers<void>()
    const statuses: number[] = []
    const polls = Array.from({ length: 50 }, async () => {
      const { status } = await alice.call('GET', path)
      if (statuses.push(status) === 50 - 32) refused.resolve()
    })
    await refused.promise
    t.strictSame([...new Set(statuses)], [429])
    t.equal(server.app.sockets.hub.waitsOf(alice.id), 32)
    await alice.send('alice', 'a note')
    await Promise.all(polls)
    t.equal(statuses.filter((status) => status === 200).length, 32)
  },
)
