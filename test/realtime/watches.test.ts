import t from 'tap'
import * as members from '../../db/queries/members.ts'
import * as users from '../../db/queries/users.ts'
import type { Query } from '../../db/query.ts'
import { rawFrame, rawSocket } from '../support/frames.ts'
import { dial, rawRequest } from '../support/raw.ts'
import { beforeReads } from '../support/reads.ts'
import { type Server, startServer } from '../support/server.ts'
import { loseNextBatch } from '../support/stream.ts'

/** Counts the database reads of presence lookups, in total and in one turn of the event loop. */
const countReads = ({ app }: Server) => {
  const counts = { names: 0, pages: 0, mostInATurn: 0 }
  let inTurn = 0
  const count = (query: Query<never, unknown>) => {
    // Names come from a cache and are read once.
    if (query === users.userById) return
    if (query === users.userByKey) counts.names += 1
    if (query === members.sharedPeriodsAfter) counts.pages += 1
    if (inTurn === 0) {
      setImmediate(() => {
        inTurn = 0
      })
    }
    inTurn += 1
    counts.mostInATurn = Math.max(counts.mostInATurn, inTurn)
  }
  beforeReads(app.chat.reader, count)
  return counts
}

const names = Array.from({ length: 100 }, (_, index) => `user-${index}`)

t.test('large watch lists of many sockets do not starve other clients', async (t) => {
  const server = await startServer(t)
  const alice = await server.login('alice')
  for (const username of names) {
    await server.app.chat.writer.append('createUser', {
      username,
      password_hash: null,
      family: username,
    })
  }
  await alice.send(names[0] as string, 'hello')
  await alice.createGroup('g', names.slice(50, 60))
  const sockets = await Promise.all(Array.from({ length: 10 }, () => alice.connect()))
  const counts = countReads(server)
  await Promise.all(sockets.map((socket) => socket.request({ type: 'watch', usernames: names })))
  t.equal(counts.names, 1000)
  t.ok(counts.mostInATurn <= 10, `at most ${counts.mostInATurn} reads in one turn`)
  for (const { frames } of sockets) t.equal(frames.filter(({ type }) => type === 'presence').length, 11)
})

t.test('only users affected by a change are looked up, at most once a second', async (t) => {
  const server = await startServer(t)
  const alice = await server.login('alice')
  for (const name of ['bob', 'carol', 'dora']) await server.login(name)
  const group = await alice.createGroup('g', ['bob'])
  const bob = await server.login('bob')
  const socket = await bob.connect()
  await socket.request({ type: 'watch', usernames: ['alice', 'carol', 'dora'] })
  const counts = countReads(server)
  const shown = () => socket.frames.flatMap((frame) => (frame.type === 'presence' ? [frame.username] : []))

  for (const title of ['h', 'i', 'j']) await alice.call('PATCH', `/groups/${group.id}`, { title })
  await alice.send('bob', 'hello')
  await alice.send('bob', 'hello again')
  await socket.wait('message', ({ content }) => content === 'hello again')
  const member = `/groups/${group.id}/members/dora`
  // Pipelined, so that all changes fall into one second on a busy machine too.
  const methods = [...Array.from({ length: 5 }, () => ['PUT', 'DELETE']).flat(), 'PUT']
  const connection = await dial(t, server.url)
  connection.write(methods.map((method) => rawRequest(method, member, alice.token)).join(''))
  await connection.until(
    (bytes) => bytes.toString('latin1').match(/HTTP\/1\.1 20[04]/g)?.length === methods.length,
  )
  await socket.wait('presence', ({ username }) => username === 'dora')
  t.strictSame(shown(), ['alice', 'dora'], 'the final state is shown')
  // alice, who now has a direct conversation with bob, and dora.
  t.ok(counts.names <= 3, `${counts.names} lookups: a new title affects nobody, and carol is not looked up`)
})

t.test('a user with very many conversations is looked up in small steps', async (t) => {
  const server = await startServer(t)
  const [alice, bob] = [await server.login('alice'), await server.login('bob')]
  const { writer } = server.app.chat
  const make = (user_id: number, members: string[]) =>
    writer.append('createGroup', { user_id, title: 'g', members }).then(({ id }) => id)
  await Promise.all(Array.from({ length: 150 }, () => make(bob.id, [])))
  const socket = await alice.connect()
  const watch = () => socket.request({ type: 'watch', usernames: ['bob'] })
  const shown = () => socket.frames.filter(({ type }) => type === 'presence').length
  const counts = countReads(server)
  await watch()
  t.equal(shown(), 0)
  t.equal(counts.pages, 1, 'the small list of the other user is sufficient')
  await Promise.all(Array.from({ length: 150 }, () => make(alice.id, [])))
  await watch()
  t.equal(shown(), 0)
  t.ok(counts.pages > 3)
  const shared = await make(alice.id, ['bob'])
  await socket.wait('presence')
  t.ok(counts.mostInATurn <= 7, `at most ${counts.mostInATurn} reads in one turn`)
  await alice.call('DELETE', `/groups/${shared}/members/bob`)
  await socket.wait('presence', ({ online }) => !online, socket.frames.length)
  const block = await bob.call('PUT', '/blocks/alice')
  t.equal(block.status, 200)
  await make(alice.id, []).then(() => watch())
  t.equal(shown(), 2, 'a block hides presence')
})

t.test('a watch list that is replaced during its lookup sends no presence', async (t) => {
  const { url, login } = await startServer(t)
  const [alice] = [await login('alice'), await login('bob')]
  await alice.send('bob', 'hello')
  const socket = await rawSocket(t, url, alice.token)
  const frames = [['bob', 'nobody'], []].map((usernames) =>
    rawFrame(JSON.stringify({ type: 'watch', id: `of ${usernames.length}`, usernames })),
  )
  // Both frames are in one packet, so the second is handled before the first lookup ends.
  socket.write(Buffer.concat(frames))
  const isPresence = ({ payload }: { payload: Buffer }) => payload.includes('"presence"')
  for (const id of ['of 2', 'of 0']) {
    const reply = await socket.until((frame) => isPresence(frame) || frame.payload.includes(id))
    t.notOk(isPresence(reply), 'only the ack is sent')
  }
})

t.test('a change in a lost batch is seen with the next batch', async (t) => {
  const server = await startServer(t)
  const [alice, carol] = [await server.login('alice'), await server.login('carol')]
  const socket = await alice.connect()
  await socket.request({ type: 'watch', usernames: ['carol'] })
  loseNextBatch(server)
  await carol.send('alice', 'lost on the way')
  await alice.send('alice', 'the next one')
  t.match(await socket.wait('presence'), { username: 'carol' })
})

t.test('a failed read is retried, and later entries of the queue are kept', async (t) => {
  const server = await startServer(t)
  const { chat } = server.app
  const failOnce = () => {
    const end = beforeReads(chat.reader, (query) => {
      if (query !== users.userByKey) return
      end()
      throw new Error('a disk that fails')
    })
  }
  const [alice, bob] = [await server.login('alice'), await server.login('bob')]
  await server.login('carol')
  for (const name of ['bob', 'carol']) await alice.send(name, 'hello')
  await bob.connect()
  await (await server.login('carol')).connect()
  const socket = await alice.connect()
  failOnce()
  t.match(await socket.request({ type: 'watch', usernames: ['bob', 'carol'] }), { type: 'error' })
  const shown = await socket.wait('presence', ({ username }) => username === 'carol')
  t.match(shown, { online: true })
  t.match(await socket.wait('presence', ({ username }) => username === 'bob'), { online: true })

  failOnce()
  await bob.call('PUT', '/blocks/alice')
  await socket.wait('presence', ({ username, online }) => username === 'bob' && !online)
  const count = socket.frames.length
  const { names } = chat
  chat.names = () => {
    chat.names = names
    return Promise.reject(new Error('a disk that fails'))
  }
  await bob.call('DELETE', '/blocks/alice')
  t.match(await socket.wait('presence', ({ username }) => username === 'bob', count), { online: true })
})
