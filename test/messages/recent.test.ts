import { join } from 'node:path'
import * as fc from 'fast-check'
import t from 'tap'
import { openDatabase } from '../../db/open.ts'
import { head } from '../../db/queries/counter.ts'
import type { Batch } from '../../db/writer.ts'
import type { Message } from '../../schemas/message.ts'
import { createActivity } from '../../src/chat/activity.ts'
import { createReplay, type NumberedEvent } from '../../src/chat/replay.ts'
import { historyOf } from '../../src/chat/history.ts'
import { createRecent } from '../../src/chat/recent.ts'
import { startServer, temporaryFolder } from '../support/server.ts'

const text = fc.string({ minLength: 1, maxLength: 12 }).map((content) => `${content}.`)
const command = fc.oneof(
  { weight: 6, arbitrary: fc.record({ from: fc.nat(2), to: fc.nat(3), content: text }) },
  { weight: 3, arbitrary: fc.record({ back: fc.nat(7), content: fc.option(text) }) },
  { weight: 2, arbitrary: fc.record({ member: fc.constantFrom(1, 2), comes: fc.boolean() }) },
)

t.test('pages and streams from memory equal those from the file, whatever was written', async (t) => {
  const { app, login } = await startServer(t, { RATE_LIMIT_SEND: '0', RATE_LIMIT_LOGIN: '0' })
  const { reader } = app.chat
  const fromFile = { ...app.chat, recent: createRecent(), activity: createActivity() }
  const served = { up: 0, down: 0, streams: 0 }
  /** Limits so low that the cache is full again and again. */
  const rememberFew = () => {
    const recent = createRecent({ messages: 4, units: 40 })
    const read: typeof recent.read = async (reads, range, isUpward) => {
      const found = await recent.read(reads, range, isUpward)
      if (found) served[isUpward ? 'up' : 'down'] += 1
      return found
    }
    const newest: typeof recent.newest = (range, last) => {
      const found = recent.newest(range, last)
      if (found) served.down += 1
      return found
    }
    Object.assign(app.chat, { recent: { ...recent, read, newest } })
  }

  let worlds = 0
  const property = fc.asyncProperty(fc.array(command, { minLength: 10, maxLength: 30 }), async (commands) => {
    rememberFew()
    worlds += 1
    const names = ['a', 'b', 'c'].map((name) => `${name}${worlds}`)
    const people = await Promise.all(names.map((name) => login(name)))
    const owner = people[0] as (typeof people)[number]
    const start = (await reader.get(head, {}))?.last as number
    const group = await owner.call<{ id: number }>('POST', '/groups', { title: 'all', members: [] })
    const rooms = new Set([group.body.id])
    const sent: { id: number; author: typeof owner }[] = []
    for (const one of commands) {
      if ('from' in one) {
        const author = people[one.from] as typeof owner
        const to = one.to === 3 ? { conversation_id: group.body.id } : { receiver_username: names[one.to] }
        const { status, body } = await author.call<Message>('POST', '/send', { ...to, content: one.content })
        if (status !== 200) continue
        rooms.add(body.conversation_id)
        sent.push({ id: body.id, author })
      } else if ('back' in one) {
        const { id, author } = sent.at(-1 - one.back) ?? {}
        if (one.content === null) await author?.call('DELETE', `/messages/${id}`)
        else await author?.call('PATCH', `/messages/${id}`, { content: one.content })
      } else {
        await owner.call(
          one.comes ? 'PUT' : 'DELETE',
          `/groups/${group.body.id}/members/${names[one.member]}`,
        )
      }
    }
    const middle = sent.at(-3)?.id ?? 1
    const pages = [1, 2, 5, 100].flatMap((limit) => [
      { limit },
      { limit, before: middle },
      { limit, after: middle },
      { limit, after: 0 },
    ])
    const end = (await reader.get(head, {}))?.last as number
    const streamOf = async (chat: typeof fromFile, user_id: number, after: number, limit: number) => {
      const replay = createReplay(chat, user_id, after)
      const events: NumberedEvent[] = []
      for (let page = await replay.next(limit, end); page.length > 0; page = await replay.next(limit, end)) {
        events.push(...page)
      }
      return JSON.stringify([events, replay.position])
    }
    for (const { id: user_id, username } of people) {
      for (const after of [start, middle, end - 3, end - 1]) {
        for (const limit of [1, 3, 100]) {
          if (app.chat.activity.between(after, end)) served.streams += 1
          const [remembered, stored] = [
            await streamOf(app.chat, user_id, after, limit),
            await streamOf(fromFile, user_id, after, limit),
          ]
          if (remembered !== stored) throw new Error(`after ${after}: ${remembered} for ${stored}`)
        }
      }
      for (const room of rooms) {
        for (const page of pages) {
          const read = async (chat: typeof fromFile) =>
            JSON.stringify(
              await historyOf(
                chat,
                { user_id, username, jti: '', expires: 0, verified_at: 0 },
                room,
                page,
              ).catch(String),
            )
          const [remembered, stored] = [await read(app.chat), await read(fromFile)]
          if (remembered !== stored) throw new Error(`${JSON.stringify(page)}: ${remembered} for ${stored}`)
        }
      }
    }
  })
  await fc.assert(property, { numRuns: 40 })
  t.ok(
    served.down > 1000 && served.up > 500 && served.streams > 1000,
    `from memory: ${JSON.stringify(served)}`,
  )
})

t.test('a committed message that was not published yet is read from the file', async (t) => {
  const { reader, writer, close } = await openDatabase(
    `sqlite:${join(await temporaryFolder(t), 'messenger.db')}`,
    { maxQueue: 100 },
  )
  t.teardown(close)
  const batches: Batch[] = []
  writer.on('commit', (batch) => batches.push(batch))
  const ada = await writer.append('createUser', {
    username: 'ada',
    password_hash: null,
    family: '1',
  })
  const note = { sender_id: ada.user.id, receiver_username: 'ada' }
  const { message } = await writer.append('send', { ...note, content: 'frist' })
  await writer.append('edit', { user_id: ada.user.id, message_id: message.id, content: 'first' })

  const recent = createRecent()
  const all = { conversation_id: message.conversation_id, from: message.id, to: message.id, limit: 1 }
  const contents = async () => (await recent.read(reader, all, false))?.map(({ content }) => content)
  t.equal(await contents(), undefined, 'no message was published yet')
  const [sent, edited] = batches.slice(-2) as [Batch, Batch]
  recent.take(sent)
  t.equal(await contents(), undefined, 'the edit is on disk')
  recent.take(edited)
  t.strictSame(await contents(), ['first'])
  const missed = createRecent()
  missed.take(sent)
  missed.take({ first: edited.last + 1, last: edited.last, changes: [] })
  t.equal(await missed.read(reader, all, false), undefined, 'a gap may hide an edit')
})

t.test('the cache keeps at most two generations, limited by messages and by length', async (t) => {
  const { app, login } = await startServer(t)
  const ada = await login('ada')
  const keepUpTo = (messages: number, units: number) => {
    const recent = createRecent({ messages, units })
    Object.assign(app.chat, { recent })
    return async (conversation_id: number, from: number, limit: number) =>
      (
        await recent.read(
          app.chat.reader,
          { conversation_id, from, to: Number.MAX_SAFE_INTEGER, limit },
          false,
        )
      )?.length
  }
  const sendTen = async (content: string) => {
    const sent: number[] = []
    for (let n = 0; n < 10; n++) sent.push((await ada.send('ada', content, { metadata: { n } })).id)
    return sent
  }
  const byCount = keepUpTo(4, 1000)
  const [first, ...ids] = await sendTen('0')
  const room = (await ada.history('ada'))[0]?.conversation_id as number
  t.equal(await byCount(room, first as number, 6), 6, 'the last two messages and the four before them')
  t.equal(await byCount(room, first as number, 7), undefined)
  t.equal(await byCount(room, ids[3] as number, 7), 6, 'no older messages are requested')

  const byLength = keepUpTo(100, 15)
  const ten = await sendTen('0123456789')
  t.equal(await byLength(room, 1, 2), 2, 'the entry has ten units of content and seven of metadata')
  t.equal(await byLength(room, 1, 3), undefined)
  const edit = (content: string) => ada.call('PATCH', `/messages/${ten[9]}`, { content })
  await edit('twenty three characters')
  t.equal(await byLength(room, 1, 2), 2, 'edits can double the size')
  await edit('twenty four of them here')
  t.equal(await byLength(room, 1, 1), undefined, 'the entry is dropped after that')
  await ada.send('ada', '1')
  t.equal(await byLength(room, 1, 1), 1)
  t.equal(await byLength(room, 1, 2), undefined)
})
