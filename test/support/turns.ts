import type { Source, Waiting } from '../../src/load/turns.ts'
import type { Server } from './server.ts'

/** Resolves in the next turn of the event loop. */
export const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

/** Makes every turn report that it has no time left, and collects the waiting work for the test to run. */
export const holdTurns = ({ app }: Server) => {
  const waiting: Waiting[] = []
  const sources: Source[] = []
  const { turns } = app.chat
  Object.defineProperty(turns, 'hasTime', { value: false, configurable: true })
  turns.add = (source, one) => {
    sources.push(source)
    waiting.push(one)
  }
  return {
    waiting,
    /** The source of each unit of work that waited. */
    sources,
    /** Waits until `count` units of work wait. */
    async until(count: number) {
      while (waiting.length < count) await nextTurn()
    },
    /** Runs all waiting work, and lets later work run at once. */
    release() {
      Object.defineProperty(turns, 'hasTime', { value: true, configurable: true })
      const run = (one: Waiting) => {
        while (one.handleNext());
      }
      turns.add = (_source, one) => void setImmediate(run, one)
      for (const one of waiting.splice(0)) run(one)
    },
  }
}
