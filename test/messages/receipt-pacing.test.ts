import t, { type Test } from 'tap'
import { StorageError } from '../../db/errors.ts'
import { createReceiptPacing } from '../../src/chat/receipt-pacing.ts'
import { AppError } from '../../src/errors.ts'
import type { Conversation } from '../../schemas/conversation.ts'
import type { Message } from '../../schemas/message.ts'
import { startServer } from '../support/server.ts'

t.test('a refused mark does not delay the receipt of the next one', async (t) => {
  const { login } = await startServer(t)
  const [alice, bob] = [await login('alice'), await login('bob')]
  const { body: group } = await alice.call<Conversation>('POST', '/groups', { title: 'x', members: [] })
  const [watching, marking] = [await alice.connect(), await bob.connect()]
  const receipt = { type: 'receipt', conversation_id: group.id, read_up_to: Number.MAX_SAFE_INTEGER } as const
  t.match(await marking.request(receipt), { type: 'error', problem: { code: 'CONVERSATION_NOT_FOUND' } })
  await alice.call('PUT', `/groups/${group.id}/members/bob`)
  await alice.call<Message>('POST', '/send', { conversation_id: group.id, content: 'hi' })
  const ack = await marking.request(receipt)
  const { cursor } = await watching.wait('receipt')
  t.match(ack, { type: 'ack', cursor }, 'published with the mark and not under a later number')
})

/** @param outcomes the results of the publications, in order */
const pacing = (t: Test, ...outcomes: (Error | undefined)[]) => {
  const reported: unknown[] = []
  const attempts = outcomes.map(() => Promise.withResolvers<void>())
  let count = 0
  const writer = {
    append: async () => {
      const outcome = outcomes[count]
      attempts[count]?.resolve()
      count += 1
      if (outcome) throw outcome
    },
  }
  const created = createReceiptPacing(writer as never, { MAX_RECEIPT_GROUP: 32 } as never, (error) =>
    reported.push(error),
  )
  t.teardown(() => created.stop())
  /** Writes a mark. @returns whether it may be published at once */
  const mark = async (error?: Error) => {
    let isAnnounced = false
    await created.pace(1, 1, async (announce) => {
      isAnnounced = announce
      if (error) throw error
    })
    return isAnnounced
  }
  return { ...created, mark, reported, attempts: attempts.map(({ promise }) => promise), count: () => count }
}

t.test('a mark behind a refused one in the same turn is published after a second', async (t) => {
  const { mark, attempts } = pacing(t, undefined)
  const [refused, paced] = [mark(new AppError('OVERLOADED', 'full')), mark()]
  await t.rejects(refused, { code: 'OVERLOADED' })
  t.equal(await paced, false)
  await Promise.all(attempts)
})

t.test('a publication is tried again while the failure may pass, and each failure is reported', async (t) => {
  const busy = new StorageError('busy', 'locked')
  const full = new AppError('OVERLOADED', 'the queue is full')
  const bug = new Error('a bug')
  const { mark, attempts, reported, count } = pacing(t, busy, full, bug)
  t.equal(await mark(), true)
  t.equal(await mark(), false)
  await Promise.all(attempts)
  // Its timers are later than those of the first, so a further attempt would come before its publication.
  const later = pacing(t, undefined)
  await later.mark()
  await later.mark()
  await Promise.all(later.attempts)
  t.strictSame(reported, [busy, full, bug])
  t.equal(count(), 3)
  t.equal(await mark(), true, 'the second has ended')
})

t.test('a mark that is accepted during the stop starts no timer', async (t) => {
  const { pace, stop, mark } = pacing(t)
  await pace(1, 1, async (announce) => {
    t.equal(announce, true)
    stop()
  })
  t.equal(await mark(), false)
})
