import fc from 'fast-check'
import t from 'tap'
import { timestamp } from '../../src/chat/messages.ts'

t.test('every time is RFC 3339 in UTC with milliseconds', async (t) => {
  const times = fc.integer({ min: -62_167_219_200_000, max: 8.64e15 })
  fc.assert(fc.property(times, (ms) => timestamp(ms) === new Date(ms).toISOString()))
  const now = Date.now()
  for (const step of [0, 1, 9, 10, 99, 999, 1000, 9999, 10_000, 59_999, 60_000]) {
    t.equal(timestamp(now + step), new Date(now + step).toISOString())
  }
})
