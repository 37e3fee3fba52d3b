import type { Fill } from './fill.ts'

/** Count of each kind of reply: its status and the code of its problem. */
export type Replies = Record<string, number>

/** The server under attack and the report of the attack. */
export type Target = {
  port: number
  /** Process id of the server, for measuring its memory. */
  pid: number
  /** Tokens of the attack's `users` by name. */
  tokens: Record<string, string>
  /** The return value of the attack's `fill`. */
  filled: unknown
  /** @returns `count` at the scale of this run, at least 1 */
  scaled(count: number): number
  /** Duration of a repeating attack in milliseconds. */
  span: number
  replies: Replies
  /** Adds a figure to the printed row. */
  note(text: string): void
  /** Adds a violation. */
  violation(text: string): void
}

/** One row of the table of attacks. */
export type Attack = {
  name: string
  /** Description at full scale. */
  title: string
  /** Users that log in before the attack. At most 200, because one address can log in 300 times a minute. */
  users?: readonly string[]
  /** Writes rows into the database before the server starts. @returns JSON for `Target.filled` */
  fill?(fill: Fill, scaled: Target['scaled']): unknown
  /** Growth limit of the server in MiB. */
  mebibytes: number
  /**
   * Runs the attack in a separate process and resolves when it is over. Connections that it leaves open stay open until
   * the server has stopped.
   */
  run(target: Target): Promise<void>
}

/** @returns `count` names: `prefix-0`, `prefix-1` and so on. */
export const names = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${prefix}-${index}`)
