import type { Test } from 'tap'
import { type Events, type EventType, Messenger, type MessengerOptions } from '../../client/src/index.ts'

/** A client of the SDK that comes back quickly and is closed when the test ends. */
export const createMessenger = (t: Test, options: MessengerOptions) => {
  const messenger = new Messenger({ backoff: { min: 5, max: 50 }, timeout: 5000, ...options })
  t.teardown(() => messenger.close())
  return messenger
}

/** @returns the next event of this type that fits */
export const next = <T extends EventType>(
  messenger: Messenger,
  type: T,
  fits: (event: Events[T]) => boolean = () => true,
): Promise<Events[T]> =>
  new Promise((resolve) => {
    const off = messenger.on(type, (event) => {
      if (!fits(event)) return
      off()
      resolve(event)
    })
  })

export const nextState = (messenger: Messenger, state: Events['state']['state']) =>
  next(messenger, 'state', (event) => event.state === state)

/** @returns all events of this type, those to come too */
export const collect = <T extends EventType>(messenger: Messenger, type: T): Events[T][] => {
  const events: Events[T][] = []
  messenger.on(type, (event) => events.push(event))
  return events
}

/** Connects, and waits until it has caught up. */
export const open = async (messenger: Messenger) => {
  const online = nextState(messenger, 'online')
  await messenger.connect()
  await online
  return messenger
}
