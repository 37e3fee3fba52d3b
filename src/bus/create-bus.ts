import type { Cluster } from '../../db/database.ts'
import type { Bus, BusListener, Signal } from './bus.ts'

/** Users whom one text to another server names: it must not exceed 7,900 bytes. */
const MOST_USERS = 400

/**
 * Creates the bus of one process. It calls its own subscribers synchronously, within `publish` and `signal`.
 * @param cluster carries signals to the other processes, if there can be any
 * @param onError receives what a subscriber throws
 */
export const createBus = (
  cluster: Cluster | undefined,
  onError: (error: unknown) => void,
): Bus & { join(): void } => {
  const listeners = new Set<BusListener>()
  const callAll = (call: (listener: BusListener) => void) => {
    for (const listener of listeners) {
      try {
        call(listener)
      } catch (error) {
        onError(error)
      }
    }
  }
  const deliver = (signal: Signal) => callAll((listener) => listener.signal(signal))
  return {
    publish: (batch) => callAll((listener) => listener.batch(batch)),
    signal(signal) {
      deliver(signal)
      if (!cluster) return
      for (const part of split(signal)) cluster.send(JSON.stringify(part))
      // The text is fast, and may be lost. What is stored corrects the other servers.
      if (signal.type === 'presence') cluster.setOnline(signal)
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    /** Begins to receive the signals of other processes. Call it after the subscribers: who is online comes only once. */
    join() {
      cluster?.join({
        signal: (text) => deliver(JSON.parse(text)),
        online: (server, change) => deliver({ type: 'presence', server, ...change }),
        nodeEnded: (server) => deliver({ type: 'server_ended', server }),
      })
    },
  }
}

/** Splits a signal with a long audience. */
const split = (signal: Signal): Signal[] => {
  if (signal.type !== 'typing') return [signal]
  const parts: Signal[] = []
  for (let at = 0; at < signal.audience.length; at += MOST_USERS) {
    parts.push({ ...signal, audience: signal.audience.slice(at, at + MOST_USERS) })
  }
  return parts
}
