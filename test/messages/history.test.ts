import t from 'tap'
import type { Message } from '../../schemas/message.ts'
import { startServer } from '../support/server.ts'

const { login, call } = await startServer(t)
const alice = await login('alice')
const bob = await login('Bob')
const carol = await login('carol')
const sent: number[] = []
for (let n = 0; n < 25; n++)
  sent.push((await (n % 2 ? bob.send('alice', `${n}`) : alice.send('bob', `${n}`))).id)
await carol.send('alice', 'elsewhere')

const page = async (query: string) => {
  const { status, body, headers } = await alice.call<Message[]>('GET', `/history/bob${query}`)
  t.equal(status, 200)
  const links = Object.fromEntries(
    [...(headers.get('link') ?? '').matchAll(/<([^>]+)>; rel="(\w+)"/g)].map(([, href, rel]) => [rel, href]),
  )
  return { ids: body.map(({ id }) => id), links: links as { prev?: string; next?: string }, body }
}

t.test('history is a plain array, oldest first, and the same for both users', async (t) => {
  const { body, ids, links } = await page('')
  t.strictSame(ids, sent)
  t.strictSame(links, {})
  t.strictSame(await bob.history('ALICE'), body)
  t.strictSame(Object.keys(body[0] ?? {}).toSorted(), [
    'content',
    'conversation_id',
    'id',
    'receiver',
    'receiver_id',
    'sender',
    'sender_id',
    'timestamp',
  ])
  t.match(body[0], { sender: 'alice', sender_id: alice.id, receiver: 'Bob', receiver_id: bob.id })
  for (const { timestamp } of body) t.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
})

t.test('the newest page comes first, and `before` reads older pages', async (t) => {
  t.strictSame((await page('?limit=10')).ids, sent.slice(15))
  t.strictSame((await page(`?limit=10&before=${sent[15]}`)).ids, sent.slice(5, 15))
  t.strictSame((await page(`?limit=10&before=${sent[5]}`)).ids, sent.slice(0, 5))
  t.strictSame((await page(`?limit=10&before=${sent[0]}`)).ids, [])
  t.strictSame((await page(`?limit=1&before=${Number.MAX_SAFE_INTEGER}`)).ids, sent.slice(-1))
})

t.test('`after` reads from a message upward', async (t) => {
  t.strictSame((await page('?after=0&limit=3')).ids, sent.slice(0, 3))
  t.strictSame((await page(`?after=${sent[2]}&limit=3`)).ids, sent.slice(3, 6))
  t.strictSame((await page(`?after=${sent[21]}`)).ids, sent.slice(22))
  t.strictSame((await page(`?after=${sent[24]}`)).ids, [])
  t.strictSame((await page(`?after=${Number.MAX_SAFE_INTEGER}`)).ids, [])
})

t.test('following the Link header returns every message once, in both directions', async (t) => {
  const older: number[] = []
  for (let at: string | undefined = '?limit=7'; at; ) {
    const { ids, links } = await page(at)
    older.unshift(...ids)
    at = links.prev?.replace('/history/bob', '')
  }
  t.strictSame(older, sent)
  const newer: number[] = []
  for (let at: string | undefined = '?after=0&limit=7'; at; ) {
    const { ids, links } = await page(at)
    newer.push(...ids)
    at = links.next?.replace('/history/bob', '')
  }
  t.strictSame(newer, sent)
})

t.test('a page links to older and newer messages only if they exist', async (t) => {
  const rels = async (query: string) => Object.keys((await page(query)).links).toSorted()
  t.strictSame(await rels('?limit=25'), [])
  t.strictSame(await rels('?limit=24'), ['prev'])
  t.strictSame(await rels('?after=0&limit=24'), ['next'])
  t.strictSame(await rels(`?before=${sent[20]}&limit=5`), ['next', 'prev'])
  t.strictSame(await rels(`?after=${sent[3]}&limit=5`), ['next', 'prev'])
  t.strictSame(await rels(`?before=${sent[5]}&limit=5`), ['next'])
  t.strictSame(await rels(`?after=${sent[19]}&limit=5`), ['prev'])
})

t.test('headers say whether older and newer messages exist, in both histories', async (t) => {
  const [{ conversation_id: id } = { conversation_id: 0 }] = (await page('?limit=1')).body
  for (const path of ['/history/bob', `/conversations/${id}/messages`]) {
    for (const [query, older, newer] of [
      ['?limit=25', 'false', 'false'],
      ['?limit=24', 'true', 'false'],
      ['?after=0&limit=24', 'false', 'true'],
      [`?before=${sent[20]}&limit=5`, 'true', 'true'],
      [`?before=${sent[0]}`, 'false', 'false'],
      [`?after=${sent[24]}`, 'false', 'false'],
    ]) {
      const { headers } = await alice.call('GET', path + query)
      t.equal(headers.get('has-older'), older, `${path}${query}: older messages`)
      t.equal(headers.get('has-newer'), newer, `${path}${query}: newer messages`)
    }
  }
})

t.test('a message that arrives between two pages shifts no page', async (t) => {
  const [dan, eve] = [await login('dan'), await login('eve')]
  const ids: number[] = []
  for (let n = 0; n < 6; n++) ids.push((await dan.send('eve', `${n}`)).id)
  const newest = (await eve.call<Message[]>('GET', '/history/dan?limit=3')).body
  await dan.send('eve', 'meanwhile')
  const older = (await eve.call<Message[]>('GET', `/history/dan?limit=3&before=${newest[0]?.id}`)).body
  t.strictSame(
    [...older, ...newest].map(({ id }) => id),
    ids,
  )
})

t.test('a history between two other users cannot be read', async (t) => {
  t.strictSame(await carol.history('bob'), [])
  t.match(await carol.history('alice'), [{ content: 'elsewhere' }])
  t.equal((await call('GET', '/history/bob')).status, 401)
})

t.test('a history with a new user is empty, and messages to oneself have a history', async (t) => {
  const gus = await login('gus')
  t.strictSame(await gus.history('alice'), [])
  t.strictSame(await gus.history('gus'), [])
  await gus.send('gus', 'remember')
  t.match(await gus.history('GUS'), [
    { content: 'remember', sender: 'gus', receiver: 'gus', receiver_id: gus.id },
  ])
})

t.test('a page holds at most a thousand messages', async (t) => {
  const hal = await login('hal')
  const socket = await hal.connect()
  for (let n = 0; n < 1001; n++) socket.send({ receiver_username: 'hal', content: `${n}` })
  await socket.wait('ack', ({ message }) => message?.content === '1000')
  t.equal((await hal.history('hal')).length, 100, 'the default limit is 100')
  const most = await hal.history('hal', '?limit=1000')
  t.strictSame([most.length, most[0]?.content, most[999]?.content], [1000, '1', '1000'])
})
