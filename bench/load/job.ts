/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import { logIn } from './identity.ts'
import type { Span } from './window.ts'

/** Input of every scenario: the server to load, the duration in milliseconds, and the amounts. */
export type Job = Span & {
  port: number
  /** The port of a second node, which every second connection uses. */
  secondPort?: number
  pid: number
  /** A bare comparison server has no accounts and accepts any token. */
  isBare: boolean
  users: number
  connections: number
  inFlight: number
}

/** The users of a prepared database form a ring: each sends to the next ten. */
export const CONTACTS = 10

export const random = (below: number) => Math.floor(Math.random() * below)
export const contactOf = (user: number, users: number) => (user + 1 + random(CONTACTS)) % users

/** @returns one token per user. */
export const tokensOf = async ({ port, isBare, users }: Job): Promise<string[]> =>
  isBare ? Array.from({ length: users }, () => 'a'.repeat(250)) : logIn(port, users)
