import t from 'tap'
import type { SyncPage } from '../../schemas/sync.ts'
import type { Message } from '../../schemas/message.ts'
import { startServer } from '../support/server.ts'
import { headOf } from '../support/stream.ts'

const MiB = 1024 * 1024

t.test('pages of long messages are cut by bytes and together return every message once', async (t) => {
  const { app, login } = await startServer(t)
  const [alice, bob] = [await login('alice'), await login('bob')]
  const cursor = await headOf(bob)
  // 16 KB each.
  const content = '\u{1f600}'.repeat(4096)
  const sends = Array.from({ length: 150 }, () =>
    app.chat.writer.append('send', { sender_id: alice.id, receiver_username: 'bob', content }),
  )
  const sent = (await Promise.all(sends)).map(({ message }) => message.id)

  const follow = async (first: string, rel: 'prev' | 'next') => {
    const pages: number[][] = []
    for (let at: string | undefined = first; at; ) {
      const reply = await bob.call<Message[]>('GET', at)
      const bytes = reply.body.reduce((sum, message) => sum + Buffer.byteLength(message.content), 0)
      t.ok(bytes <= MiB && bytes > 0, `${reply.body.length} messages, ${bytes} bytes`)
      pages.push(reply.body.map(({ id }) => id))
      const link: string = reply.headers.get('link') ?? ''
      at = new RegExp(`<([^>]+)>; rel="${rel}"`).exec(link)?.[1]
    }
    return pages
  }
  const older = await follow('/history/alice?limit=1000', 'prev')
  t.strictSame(older.toReversed().flat(), sent)
  t.equal(older.length, 3)
  t.strictSame((await follow('/history/alice?limit=1000&after=0', 'next')).flat(), sent)

  const seen: number[] = []
  for (let at = cursor, more = true; more; ) {
    const { body } = await bob.call<SyncPage>('GET', `/sync?limit=1000&cursor=${at}`)
    t.ok(Buffer.byteLength(JSON.stringify(body)) < 1.2 * MiB)
    for (const event of body.events) if (event.type === 'message') seen.push(event.id)
    at = body.cursor
    more = body.more
  }
  t.strictSame(seen, sent)
})

t.test('a page has at least one message, and a read of very long rows fetches fewer', async (t) => {
  const { app, login } = await startServer(t, { MAX_MESSAGE_LENGTH: '65536' })
  const alice = await login('alice')
  const send = (content: string) =>
    app.chat.writer.append('send', { sender_id: alice.id, receiver_username: 'alice', content })
  // An imported database can hold such rows.
  await Promise.all(['a', 'b', 'c'].map((letter) => send(letter.repeat(2 * MiB))))
  const first = await alice.call<Message[]>('GET', '/history/alice')
  t.strictSame(
    first.body.map(({ content }) => content[0]),
    ['c'],
  )
  t.match(first.headers.get('link'), 'rel="prev"')
  await Promise.all(Array.from({ length: 70 }, () => send('short')))
  t.equal((await alice.history('alice', '?limit=1000')).length, 64)
})
