/**
 * Creates an emitter of typed events. `emit` calls every listener of an event, in the order in which they were added.
 * @param report receives what a listener throws. The other listeners are still called.
 */
export const createEmitter = <Events extends object>(report: (error: unknown) => void) => {
  const listeners: { [E in keyof Events]?: ((payload: Events[E]) => void)[] } = {}
  return {
    on<E extends keyof Events>(event: E, listener: (payload: Events[E]) => void): void {
      const list = (listeners[event] ??= [])
      list.push(listener)
    },
    emit<E extends keyof Events>(event: E, payload: Events[E]): void {
      for (const listener of listeners[event] ?? []) {
        try {
          listener(payload)
        } catch (error) {
          report(error)
        }
      }
    },
  }
}
