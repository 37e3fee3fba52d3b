import * as events from '../../db/queries/events.ts'
import * as members from '../../db/queries/members.ts'
import { OPEN } from '../../db/tables.ts'
import type { Chat } from './context.ts'

/** Membership periods that one read covers. */
const PERIODS = 128

type Period = NonNullable<(typeof events.periodsOf)['row']>

/**
 * Finds the users who are in a conversation with a user, except those whom the user blocks or who block the user. Other work runs
 * between two reads.
 * @param maxRows stops after this number of rows, of membership periods and of members together
 * @yields ids: first that of the user, then for each conversation those of its members, the user included
 */
export const contactsOf = async function* (
  { reader, turns }: Chat,
  user_id: number,
  maxRows: number,
): AsyncGenerator<readonly number[]> {
  yield [user_id]
  let after: members.PeriodPosition | undefined = { conversation_id: 0, from_number: 0 }
  for (let rows = 0; after && rows < maxRows; ) {
    await turns.ready(user_id)
    const page: Period[] = await reader.all(events.periodsOf, { user_id, ...after, limit: PERIODS })
    rows += page.length
    for (const { conversation_id, to_number } of page) {
      if (to_number !== OPEN || rows >= maxRows) continue
      await turns.ready(user_id)
      const found = await reader.all(members.unblockedMembers, { user_id, conversation_id })
      rows += found.length
      yield found.map((member) => member.user_id)
    }
    after = page[PERIODS - 1]
  }
}
