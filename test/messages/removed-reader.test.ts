import t from 'tap'
import type { Conversation } from '../../schemas/conversation.ts'
import type { Writer } from '../../db/writer.ts'
import { committerOf, wrapReads } from '../support/reads.ts'
import { startServer } from '../support/server.ts'
import { headOf } from '../support/stream.ts'

const server = await startServer(t, {
  RATE_LIMIT_LOGIN: '0',
  RATE_LIMIT_SEND: '0',
  RATE_LIMIT_CHANGES: '0',
})
const { reader, writer } = server.app.database
const commitBetween = await committerOf(t, server)
const owner = await server.login('owner')
await server.login('joined-after')
const max_group = 32
let members = 0

/** A group with a member who has read two messages, and who is in no other group. */
const makeGroup = async () => {
  members += 1
  const member = await server.login(`member-${members}`)
  const { username } = member
  const cursor = await headOf(member)
  const { body: group } = await owner.call<Conversation>('POST', '/groups', {
    title: 'before',
    members: [username],
  })
  const say = (content: string) =>
    writer.append('send', { sender_id: owner.id, conversation_id: group.id, content })
  await say('one before')
  const newest = await say('two before')
  /** Removes the member, and then changes all that a member sees. Each operation uses one number. */
  const removal = [
    (to: Writer) =>
      to.append('removeMember', {
        user_id: owner.id,
        conversation_id: group.id,
        username,
        max_group,
      }),
    (to: Writer) =>
      to.append('send', { sender_id: owner.id, conversation_id: group.id, content: 'sent after' }),
    (to: Writer) =>
      to.append('edit', { user_id: owner.id, message_id: newest.message.id, content: 'edited after' }),
    (to: Writer) =>
      to.append('changeGroup', { user_id: owner.id, conversation_id: group.id, title: 'renamed after' }),
    (to: Writer) =>
      to.append('addMember', {
        user_id: owner.id,
        conversation_id: group.id,
        username: 'joined-after',
        max_members: 256,
      }),
  ]
  return { cursor, id: group.id, member, removal }
}
type Group = Awaited<ReturnType<typeof makeGroup>>

/** Calls a function after the read with this number. @returns a function that ends it, and returns whether the read took place */
const afterRead = (number: number, call: () => Promise<void>) => {
  let reads = 0
  const then = async <T>(result: Promise<T>): Promise<T> => {
    reads += 1
    const isIt = reads === number
    const value = await result
    if (isIt) await call()
    return value
  }
  const end = wrapReads(reader, ({ all, get }) => ({
    all: (query, args) => then(all(query, args)),
    get: (query, args) => then(get(query, args)),
  }))
  return () => {
    end()
    return reads >= number
  }
}

const kinds: Record<string, (group: Group) => Promise<{ status: number; body: unknown }>> = {
  'the history': ({ id, member }) => member.call('GET', `/conversations/${id}/messages`),
  'the history before a message': ({ id, member }) =>
    member.call('GET', `/conversations/${id}/messages?before=999999999`),
  'the history after a message': ({ id, member }) =>
    member.call('GET', `/conversations/${id}/messages?after=1`),
  'the missed events': ({ cursor, member }) => member.call('GET', `/sync?cursor=${cursor}`),
  'the list of conversations': ({ member }) => member.call('GET', '/conversations'),
  'a conversation': ({ id, member }) => member.call('GET', `/conversations/${id}`),
  'the members': ({ id, member }) => member.call('GET', `/conversations/${id}/members`),
}

for (const [kind, read] of Object.entries(kinds)) {
  t.test(
    `a member who is removed between two reads of ${kind} sees nothing from after the removal`,
    async (t) => {
      let reads = 0
      for (;;) {
        const group = await makeGroup()
        const end = afterRead(reads + 1, () => commitBetween(group.removal.length, group.removal))
        const { status, body } = await read(group)
        const isRemoved = end()
        t.equal(status, 200)
        t.notMatch(JSON.stringify(body), /after"/, `removed after read ${reads + 1}`)
        if (!isRemoved) break
        t.notMatch(JSON.stringify((await read(group)).body), /after"/, 'as a former member')
        reads += 1
      }
      t.ok(reads >= 2, `${reads} reads`)
    },
  )
}

t.test(
  'a member who is removed between two chunks of a history reads the rest as a former member',
  async (t) => {
    const { id, member } = await makeGroup()
    const first = await writer.append('send', {
      sender_id: owner.id,
      conversation_id: id,
      content: 'the first',
    })
    const asMember = { user_id: owner.id, conversation_id: id, username: member.username }
    const leave = () => writer.append('removeMember', { ...asMember, max_group })
    // More membership periods than one chunk reads, none of them with a message.
    for (let periods = 0; periods < 300; periods += 10) {
      await Promise.all(
        Array.from({ length: 10 }, () => [
          leave(),
          writer.append('addMember', { ...asMember, max_members: 256 }),
        ]).flat(),
      )
    }
    const { turns } = server.app.chat
    let removals = 0
    turns.ready = async () => {
      delete (turns as Partial<typeof turns>).ready
      removals += 1
      await leave()
      await writer.append('edit', {
        user_id: owner.id,
        message_id: first.message.id,
        content: 'edited after',
      })
    }
    const { status, body } = await member.call<{ content: string }[]>('GET', `/conversations/${id}/messages`)
    t.equal(status, 200)
    t.equal(removals, 1)
    t.strictSame(
      body.map(({ content }) => content),
      ['one before', 'two before'],
    )
  },
)

t.test('a former member finds the messages behind many that changed later', async (t) => {
  const { id, member } = await makeGroup()
  const say = (content: string) =>
    writer.append('send', { sender_id: owner.id, conversation_id: id, content })
  const changed = await Promise.all(Array.from({ length: 70 }, (_, n) => say(`note ${n}`)))
  await say('the last one')
  await member.call('DELETE', `/groups/${id}/members/${member.username}`)
  await Promise.all(
    changed.map(({ message }) =>
      writer.append('edit', { user_id: owner.id, message_id: message.id, content: 'edited after' }),
    ),
  )
  const page = async (query: string) => {
    const { body } = await member.call<{ content: string }[]>('GET', `/conversations/${id}/messages?${query}`)
    return body.map(({ content }) => content)
  }
  t.strictSame(await page('limit=2'), ['two before', 'the last one'])
  t.strictSame(await page(`limit=1&before=${changed.at(-1)?.message.id}`), ['two before'])
  t.strictSame(await page(`limit=1&after=${changed[0]?.message.id}`), ['the last one'])
  t.match(await member.conversation(id), { last_message: { content: 'the last one' } })
})
