import type { Test } from 'tap'
import type { Batch } from '../../db/writer.ts'
import type { Bus, Origin, Signal } from '../../src/bus/bus.ts'

type Received = { batches: Batch<Origin>[]; signals: Signal[] }

/**
 * The tests that every implementation of Bus must pass.
 * @param open returns the buses of `processes` processes that share one database, as many as its kind allows. Each bus passes the
 * errors of its subscribers to `onError`
 */
export const busContract = (
  t: Test,
  open: (t: Test, processes: number, onError: (error: unknown) => void) => Promise<Bus[]>,
) => {
  const batch = (first: number, last = first): Batch<Origin> => ({ first, last, changes: [] })
  const signal: Signal = { type: 'typing', conversation_id: 1, user_id: 1, username: 'alice', audience: [2] }

  const fail = (error: unknown) => {
    throw error
  }

  const listen = (bus: Bus) => {
    const received: Received = { batches: [], signals: [] }
    const { promise, resolve } = Promise.withResolvers<void>()
    const end = bus.subscribe({
      batch(given) {
        received.batches.push(given)
        if (given.last === 100) resolve()
      },
      signal: (given) => received.signals.push(given),
    })
    return { received, end, all: promise }
  }

  t.test('every subscriber receives each batch exactly once, in the order of the numbers', async (t) => {
    const [bus] = (await open(t, 1, fail)) as [Bus]
    const listeners = [listen(bus), listen(bus)]
    const published = Array.from({ length: 50 }, (_, n) => batch(2 * n + 1, 2 * n + 2))
    for (const one of published) bus.publish(one)
    for (const { received, all } of listeners) {
      await all
      t.strictSame(received.batches, published)
    }
  })

  t.test('every subscriber of every process receives a signal', async (t) => {
    const buses = await open(t, 2, fail)
    const listeners = buses.flatMap((bus) => [listen(bus), listen(bus)])
    // A signal may be lost, for example while another process begins to listen.
    while (listeners.some(({ received }) => received.signals.length === 0)) {
      buses[0]?.signal(signal)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    for (const { received } of listeners) t.strictSame(received.signals[0], signal)
  })

  t.test('a notice, and an event with its origin, arrive unchanged', async (t) => {
    const [bus] = (await open(t, 1, fail)) as [Bus]
    const { received, all } = listen(bus)
    const notice: Batch<Origin>['changes'][number] = {
      number: 99,
      audience: [],
      event: { type: 'tokens_ended', user_id: 1, token_family: 'f', kept_token: null, tokens_from: 0 },
    }
    const change: Batch<Origin>['changes'][number] = {
      number: 100,
      audience: [1, 2],
      event: { type: 'receipt', conversation_id: 1, username: 'alice', delivered_up_to: 2, read_up_to: 1 },
      origin: { user_id: 1, connection_id: 's', request_id: 7, frame_id: 'f' },
    }
    bus.publish({ first: 99, last: 100, changes: [notice, change] })
    await all
    t.strictSame(received.batches, [{ first: 99, last: 100, changes: [notice, change] }])
  })

  t.test('a subscriber that throws affects neither the publisher nor other subscribers', async (t) => {
    const errors: unknown[] = []
    const [bus] = (await open(t, 1, (error) => errors.push(error))) as [Bus]
    const fault = () => {
      throw new Error('a fault of the subscriber')
    }
    bus.subscribe({ batch: fault, signal: fault })
    const { received, all } = listen(bus)
    t.doesNotThrow(() => bus.signal(signal))
    t.doesNotThrow(() => bus.publish(batch(1, 100)))
    await all
    t.strictSame([received.batches.length, received.signals], [1, [signal]])
    t.equal(errors.length, 2)
  })

  t.test('a subscriber receives nothing after it unsubscribes', async (t) => {
    const [bus] = (await open(t, 1, fail)) as [Bus]
    const [ended, active] = [listen(bus), listen(bus)]
    ended.end()
    ended.end()
    bus.publish(batch(100))
    await active.all
    t.strictSame(ended.received, { batches: [], signals: [] })
  })
}
