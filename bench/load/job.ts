/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import { logIn } from './identity.ts'
import type { Span } from './window.ts'

/** Input of every scenario: the server to load, the duration in milliseconds, and the amounts. */
export type Job = Span & {
  port: number
  pid: number
  /** A bare comparison server has no accounts and accepts any token. */
  isBare: boolean
  people: number
  connections: number
  inFlight: number
}

/** In a prepared database, people stand in a ring. Each writes to the next ten and hears from the ten before. */
export const CIRCLE = 10

export const random = (below: number) => Math.floor(Math.random() * below)
export const friendOf = (person: number, people: number) => (person + 1 + random(CIRCLE)) % people

/** @returns one token per person. */
export const tokensOf = async ({ port, isBare, people }: Job): Promise<string[]> =>
  isBare ? Array.from({ length: people }, () => 'a'.repeat(250)) : logIn(port, people)
