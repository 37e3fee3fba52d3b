import t from 'tap'
import { createCaches, type Conversation } from '../../db/transaction.ts'
import { createCache } from '../../src/cache.ts'

t.test('a cache keeps the most recently used entries up to its total size', (t) => {
  const cache = createCache<string, { size: number }>(10, { sizeOf: ({ size }) => size })
  cache.set('a', { size: 4 })
  cache.set('b', { size: 4 })
  cache.get('a')
  cache.set('c', { size: 5 })
  t.strictSame([...cache.keys()].toSorted(), ['a', 'c'])
  cache.set('d', { size: 11 })
  t.notOk(cache.has('d'), 'an entry larger than the cache is not kept')
  t.end()
})

t.test('the writer bounds its cached conversations by their members', (t) => {
  const { conversations } = createCaches()
  const members = Array.from({ length: 1000 }, (_, id) => ({
    user_id: id,
    username: 'x',
    role: 'member' as const,
    from_number: 1,
  }))
  const conversation: Conversation = {
    id: 1,
    kind: 'group',
    title: 'g',
    key: null,
    metadata: null,
    low_id: null,
    high_id: null,
    blocked: false,
    members,
    audience: [],
  }
  for (let id = 1; id <= 1000; id++) conversations.set(id, { ...conversation, id })
  t.ok(
    conversations.size >= 100 && conversations.size < 200,
    `${conversations.size} conversations of 1,000 members`,
  )
  t.ok(conversations.has(1000), 'the newest are kept')
  t.end()
})
