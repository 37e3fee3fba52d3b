import type { Test } from 'tap'
import type { Batch } from '../../db/writer.ts'
import type { Bus, Origin, Signal } from '../../src/bus/bus.ts'

type Heard = { batches: Batch<Origin>[]; signals: Signal[] }

/**
 * What every bus must do.
 * @param open gives buses of that many processes that serve one database; they call `onError` for what a listener throws
 */
export const busContract = (
  t: Test,
  open: (t: Test, processes: number, onError: (error: unknown) => void) => Promise<Bus[]>,
) => {
  const batch = (first: number, last = first): Batch<Origin> => ({ first, last, changes: [] })
  const signal: Signal = { type: 'acquaintance', user_ids: [1] }

  const fail = (error: unknown) => {
    throw error
  }

  const listen = (bus: Bus) => {
    const heard: Heard = { batches: [], signals: [] }
    const { promise, resolve } = Promise.withResolvers<void>()
    const end = bus.subscribe({
      batch(given) {
        heard.batches.push(given)
        if (given.last === 100) resolve()
      },
      signal: (given) => heard.signals.push(given),
    })
    return { heard, end, all: promise }
  }

  t.test('every subscriber gets every batch, in the order of the numbers, once', async (t) => {
    const buses = await open(t, 2, fail)
    const listeners = buses.flatMap((bus) => [listen(bus), listen(bus)])
    const published = Array.from({ length: 50 }, (_, n) => batch(2 * n + 1, 2 * n + 2))
    for (const one of published) buses[0]?.publish(one)
    for (const { heard, all } of listeners) {
      await all
      t.strictSame(heard.batches, published)
    }
  })

  t.test('the change and where it came from arrive as they were', async (t) => {
    const [bus] = (await open(t, 1, fail)) as [Bus]
    const { heard, all } = listen(bus)
    const change: Batch<Origin>['changes'][number] = {
      number: 100,
      audience: [1, 2],
      event: { type: 'receipt', conversation_id: 1, username: 'alice', delivered_up_to: 2, read_up_to: 1 },
      origin: { user_id: 1, connection_id: 's', request_id: 7, frame_id: 'f' },
    }
    bus.publish({ first: 100, last: 100, changes: [change] })
    await all
    t.strictSame(heard.batches, [{ first: 100, last: 100, changes: [change] }])
  })

  t.test('a subscriber that throws harms neither the publisher nor the others', async (t) => {
    const errors: unknown[] = []
    const [bus] = (await open(t, 1, (error) => errors.push(error))) as [Bus]
    const fault = () => {
      throw new Error('a fault of ours')
    }
    bus.subscribe({ batch: fault, signal: fault })
    const { heard, all } = listen(bus)
    t.doesNotThrow(() => bus.signal(signal))
    t.doesNotThrow(() => bus.publish(batch(1, 100)))
    await all
    t.strictSame([heard.batches.length, heard.signals], [1, [signal]])
    t.equal(errors.length, 2)
  })

  t.test('who has ended its subscription hears nothing more', async (t) => {
    const [bus] = (await open(t, 1, fail)) as [Bus]
    const [gone, here] = [listen(bus), listen(bus)]
    gone.end()
    gone.end()
    bus.publish(batch(100))
    await here.all
    t.strictSame(gone.heard, { batches: [], signals: [] })
  })
}
