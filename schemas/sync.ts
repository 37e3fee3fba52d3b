import { Type } from '@sinclair/typebox'
import { Cursor, CursorInput, described, PageSize, ref, reply, request, type Static } from './common.ts'
import { Event } from './events.ts'

export const SyncQuery = request({
  cursor: Type.Optional(CursorInput),
  limit: PageSize,
  wait: Type.Integer({
    minimum: 0,
    maximum: 30,
    default: 0,
    description: 'Seconds to wait for an event if there is none after the cursor.',
  }),
})
export type SyncQuery = Static<typeof SyncQuery>

export const SyncPage = reply(
  {
    events: Type.Array(ref(Event), { description: 'Oldest first.' }),
    cursor: described(Cursor, 'The cursor of the next page.'),
    more: Type.Boolean({ description: 'Whether more events exist now: request the next page at once.' }),
  },
  { $id: 'SyncPage', description: 'A page of events, in order. The next page begins at `cursor`.' },
)
export type SyncPage = Static<typeof SyncPage>
