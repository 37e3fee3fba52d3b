import type { Fill } from './fill.ts'

/** How often each answer came: its status, and the code of a problem. */
export type Answers = Record<string, number>

/** What an attack is given. */
export type Target = {
  port: number
  /** Process id of the server, for its memory. */
  pid: number
  /** Tokens of the attack's `people`, by name. */
  tokens: Record<string, string>
  /** What the attack's `fill` returned. */
  filled: unknown
  /** @returns the part of `count` that this run takes, 1 at least */
  scaled(count: number): number
  /** Milliseconds for which an attack that repeats itself goes on. */
  span: number
  answers: Answers
  /** Adds a figure to the row that is printed. */
  note(text: string): void
  /** Adds a violation. */
  wrong(text: string): void
}

/** One row of the table of attacks. */
export type Attack = {
  name: string
  /** What it does at full scale. */
  title: string
  /** Who log in before it begins. At most 200: an address may log in 300 times a minute. */
  people?: readonly string[]
  /** Writes the database that the server starts with. @returns JSON for `Target.filled` */
  fill?(fill: Fill, scaled: Target['scaled']): unknown
  /** MiB by which the server may grow meanwhile. */
  mebibytes: number
  /**
   * Attacks. Runs in a process of its own and ends by itself. Connections that it leaves open stay open until the server
   * has stopped.
   */
  run(target: Target): Promise<void>
}

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** @returns names, from `prefix-0` on. */
export const names = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${prefix}-${index}`)
