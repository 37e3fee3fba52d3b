import { Type } from '@sinclair/typebox'
import { reply, type Static, stringEnum } from './common.ts'

export const Health = reply(
  { status: stringEnum(['ok'], { description: 'Always `ok`; a problem otherwise.' }) },
  { $id: 'Health', description: 'All is well.' },
)
export type Health = Static<typeof Health>

export const MetricsText = Type.String({ description: 'Prometheus text format 0.0.4.' })
