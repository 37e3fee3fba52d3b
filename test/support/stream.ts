import { setTimeout as pause } from 'node:timers/promises'
import * as events from '../../db/queries/events.ts'
import { overdueReceipts } from '../../db/queries/members.ts'
import { OPEN } from '../../db/tables.ts'
import type { Message } from '../../schemas/message.ts'
import type { SyncPage } from '../../schemas/sync.ts'
import type { App } from '../../src/app.ts'
import type { Waiter } from '../../src/chat/waiter.ts'
import type { Person, Server } from './server.ts'

/** @returns the current cursor of a user's stream. */
export const headOf = async (person: Person): Promise<string> =>
  (await person.call<SyncPage>('GET', '/sync')).body.cursor

/** @returns the events of a user after a cursor. */
export const eventsAfter = async (person: Person, cursor: string) =>
  (await person.call<SyncPage>('GET', `/sync?limit=1000&cursor=${encodeURIComponent(cursor)}`)).body.events

/** Sets the events of one replay page. */
export const inPagesOf = ({ app }: Server, replayPage: number) => Object.assign(app.sockets, { replayPage })

/** Holds every replay after it has read events, until `open` is called. */
export const holdReplays = ({ app }: Server) => {
  const { reader } = app.chat
  const { snapshot } = reader
  const gate = Promise.withResolvers<void>()
  const reached = Promise.withResolvers<void>()
  reader.snapshot = async (body) => {
    let isReplay = false
    const result = await snapshot((read) =>
      body({
        ...read,
        all(query, args) {
          isReplay ||= (query as unknown) === events.newMessages
          return read.all(query, args)
        },
      }),
    )
    if (isReplay) {
      reached.resolve()
      await gate.promise
    }
    return result
  }
  return {
    reached: reached.promise,
    open() {
      reader.snapshot = snapshot
      gate.resolve()
    },
  }
}

/** @returns a promise that resolves when the next `/sync` call starts to wait. */
export const nextWait = ({ app }: Server): Promise<void> => {
  const { hub } = app.sockets
  const { promise, resolve } = Promise.withResolvers<void>()
  hub.waitFor = (me) => withNotice(Object.getPrototypeOf(hub).waitFor.call(hub, me), resolve)
  return promise
}

/** @returns a promise that resolves when the next call of `GET /events` starts to wait. */
export const nextEventsWait = ({ app }: Server): Promise<void> => {
  const { feedWaits } = app.chat
  const { add } = feedWaits
  const { promise, resolve } = Promise.withResolvers<void>()
  feedWaits.add = (verified) => withNotice(add(verified), resolve)
  return promise
}

/** @returns the waiter, which calls `onWait` when a call starts to wait. */
export const withNotice = (waiter: Waiter, onWait: () => void): Waiter => ({
  ...waiter,
  wait: (ms) => {
    onWait()
    return waiter.wait(ms)
  },
})

/** Makes the bus drop the next batch. */
export const loseNextBatch = ({ app }: Server) => {
  const { bus } = app.chat
  const { publish } = bus
  bus.publish = () => {
    bus.publish = publish
  }
}

/** Waits until no receipt waits for its publication. Later only new requests assign numbers. */
export const receiptsPublished = async ({ database }: App) => {
  const waiting = { until: OPEN, now: OPEN, limit: 1 }
  while ((await database.reader.all(overdueReceipts, waiting)).length > 0) await pause(50)
}

/**
 * Moves a user's read mark in one transaction to one message and then to another. The time does not pass between, so the
 * second move waits for its publication.
 */
export const readTwice = ({ app }: Server, { id: user_id }: Person, one: Message, two: Message) =>
  Promise.all(
    [one, two].map(({ conversation_id, id: read_up_to }) =>
      app.chat.writer.append('mark', { user_id, conversation_id, read_up_to, max_group: 32 }),
    ),
  )

/** @returns the last assigned number, which a refused request does not change. */
export const counterOf = async (person: Person): Promise<number> =>
  Number((await headOf(person)).split('.')[1])
