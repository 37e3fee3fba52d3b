import t from 'tap'
import type { Batch } from '../../db/writer.ts'
import { createActivity } from '../../src/chat/activity.ts'

/** A batch of receipts in these conversations. A 0 is a number without a change. */
const batch = (first: number, conversations: readonly number[]): Batch => ({
  first,
  last: first + conversations.length - 1,
  changes: conversations.flatMap((conversation_id, index) =>
    conversation_id === 0
      ? []
      : {
          number: first + index,
          audience: [],
          event: { type: 'receipt', conversation_id, username: 'x', delivered_up_to: 1, read_up_to: 1 },
        },
  ),
})

t.test('the activity index names the conversations of the newest changes', async (t) => {
  const activity = createActivity(8)
  t.equal(activity.between(0, 1), undefined, 'no batch was recorded yet')
  activity.take(batch(5, [1, 2, 1]))
  activity.take(batch(8, [0, 3]))
  t.strictSame(activity.between(4, 9), [1, 2, 3])
  t.strictSame(activity.between(6, 8), [1])
  t.strictSame(activity.between(7, 8), [])
  t.equal(activity.between(3, 9), undefined, 'the range begins before the first batch')
  t.equal(activity.between(4, 10), undefined, 'the range ends after the last batch')

  activity.take(batch(10, [4, 4, 4, 4]))
  t.equal(activity.between(4, 13), undefined, 'the index has room for eight numbers')
  t.strictSame(activity.between(5, 13), [2, 1, 3, 4])
  activity.take(
    batch(
      14,
      Array.from({ length: 20 }, (_, n) => n + 1),
    ),
  )
  t.strictSame(activity.between(25, 33), [13, 14, 15, 16, 17, 18, 19, 20])

  activity.take(batch(40, [9]))
  t.equal(activity.between(33, 40), undefined, 'an earlier batch was lost')
  t.strictSame(activity.between(39, 40), [9])
  activity.forget()
  t.equal(activity.between(39, 40), undefined)
  activity.take(batch(41, [9]))
  t.strictSame(activity.between(40, 41), [9])
})

t.test('a notice belongs to no conversation', (t) => {
  const activity = createActivity(8)
  activity.take(batch(1, [7]))
  const event = { type: 'block', user_ids: [1, 2], conversation_id: null } as const
  activity.take({ first: 2, last: 2, changes: [{ number: 2, audience: [], event }] })
  t.strictSame([activity.between(0, 2), activity.between(1, 2)], [[7], []])
  t.end()
})

t.test('the index names no conversations when very many changed', async (t) => {
  const activity = createActivity()
  activity.take(
    batch(
      1,
      Array.from({ length: 257 }, (_, n) => n + 1),
    ),
  )
  t.equal(activity.between(0, 256)?.length, 256)
  t.equal(activity.between(0, 257), undefined)
})
