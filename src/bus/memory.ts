import type { Bus, BusListener } from './bus.ts'

/** The bus of a server that is alone with its database: subscribers are called within `publish`, in its turn. */
export const createMemoryBus = (onError: (error: unknown) => void): Bus => {
  const listeners = new Set<BusListener>()
  const tell = (call: (listener: BusListener) => void) => {
    for (const listener of listeners) {
      try {
        call(listener)
      } catch (error) {
        onError(error)
      }
    }
  }
  return {
    publish: (batch) => tell((listener) => listener.batch(batch)),
    signal: (signal) => tell((listener) => listener.signal(signal)),
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
