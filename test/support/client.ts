import type { Test } from 'tap'
import { type Events, type EventType, Messenger, type MessengerOptions } from '../../client/src/index.ts'

/** Creates a client that reconnects within 50 ms. It is closed at the end of the test. */
export const createMessenger = (t: Test, options: MessengerOptions) => {
  const messenger = new Messenger({ backoff: { min: 5, max: 50 }, timeout: 5000, ...options })
  t.teardown(() => messenger.close())
  return messenger
}

/** @returns the next event of this type that `matches` accepts */
export const next = <T extends EventType>(
  messenger: Messenger,
  type: T,
  matches: (event: Events[T]) => boolean = () => true,
): Promise<Events[T]> =>
  new Promise((resolve) => {
    const off = messenger.on(type, (event) => {
      if (!matches(event)) return
      off()
      resolve(event)
    })
  })

export const nextState = (messenger: Messenger, state: Events['state']['state']) =>
  next(messenger, 'state', (event) => event.state === state)

/** @returns a list to which each further event of this type is added */
export const collect = <T extends EventType>(messenger: Messenger, type: T): Events[T][] => {
  const events: Events[T][] = []
  messenger.on(type, (event) => events.push(event))
  return events
}

/** Connects, and waits for the state `online`. */
export const open = async (messenger: Messenger) => {
  const online = nextState(messenger, 'online')
  await messenger.connect()
  await online
  return messenger
}
