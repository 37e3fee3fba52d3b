import type { Test } from 'tap'
import { startProxy } from './unreliable-proxy.ts'

/** A TCP proxy that can be disconnected and connected again. A disconnection resets its connections and refuses new ones. */
export const startCable = async (t: Test, port: number) => {
  const proxy = await startProxy(t, `http://127.0.0.1:${port}`, Math.random, 0)
  proxy.calm()
  return {
    url: proxy.url,
    pull() {
      proxy.refuse()
      proxy.cut()
    },
    plug: proxy.calm,
  }
}
