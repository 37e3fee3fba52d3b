import { Type } from '@sinclair/typebox'
import { reply, type Static, stringEnum } from './common.ts'

export const Health = reply(
  {
    status: stringEnum(['ok'], { description: 'Always `ok`. An unhealthy server responds with a problem.' }),
  },
  { $id: 'Health', description: 'The server is healthy.' },
)
export type Health = Static<typeof Health>

export const MetricsText = Type.String({ description: 'Metrics in the Prometheus text format 0.0.4.' })
