/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import type { Side } from './sides.ts'

export type Row = {
  name: string
  title: string
  beside: string
  unit: string
  /** Whether the row reports the ratio of the two values or their difference. */
  figure: 'ratio' | 'difference'
  /** Absent for a row that is only printed. */
  target?: { reach: number; aim: number; isAtMost: boolean }
  product: Side
  compared: Side
}

export const atLeast = (reach: number, aim: number) => ({ reach, aim, isAtMost: false })
export const atMost = (reach: number, aim: number) => ({ reach, aim, isAtMost: true })
