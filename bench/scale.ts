/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import type { Size } from './database.ts'
import type { Span } from './load/window.ts'

/** Size and duration of every trial. `warmUp` and `measure` are milliseconds. */
export type Scale = Span & {
  repetitions: number
  big: Size
  small: Size
  idle: number
  devices: number
  missed: number
}

const full: Scale = {
  repetitions: 5,
  warmUp: 2000,
  measure: 3000,
  big: { users: 10_000, messages: 1_000_000 },
  small: { users: 100, messages: 10_000 },
  idle: 10_000,
  devices: 200,
  missed: 100_000,
}

/** Runs each bench for a moment to prove that it works. Its figures mean nothing. */
const smoke: Scale = {
  repetitions: 1,
  warmUp: 100,
  measure: 300,
  big: { users: 64, messages: 2000 },
  small: { users: 32, messages: 500 },
  idle: 40,
  devices: 5,
  missed: 500,
}

/** Command-line options that change the scale. */
export const scaleOptions = {
  repeat: { type: 'string' },
  'warm-up': { type: 'string' },
  measure: { type: 'string' },
  smoke: { type: 'boolean', default: false },
} as const
export const SCALE_USAGE = `--repeat N        number of repetitions (default 5)
--warm-up MS      milliseconds before counting starts (default 2000; use more on a busy machine)
--measure MS      milliseconds that count (default 3000)
--smoke           runs each bench for a moment to prove that it works; its figures mean nothing`

export const scaleOf = (values: {
  smoke?: boolean
  repeat?: string | undefined
  'warm-up'?: string | undefined
  measure?: string | undefined
}): Scale => {
  const scale = { ...(values.smoke ? smoke : full) }
  if (values.repeat) scale.repetitions = Number(values.repeat)
  if (values['warm-up']) scale.warmUp = Number(values['warm-up'])
  if (values.measure) scale.measure = Number(values.measure)
  return scale
}
