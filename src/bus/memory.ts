import type { Bus, BusListener } from './bus.ts'

/**
 * @param onError receives what a subscriber throws
 * @returns a bus within one process. It calls subscribers synchronously, within `publish` and `signal`.
 */
export const createMemoryBus = (onError: (error: unknown) => void): Bus => {
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
  return {
    publish: (batch) => callAll((listener) => listener.batch(batch)),
    signal: (signal) => callAll((listener) => listener.signal(signal)),
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
