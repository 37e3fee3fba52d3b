import * as events from '../../db/queries/events.ts'
import * as members from '../../db/queries/members.ts'
import { OPEN } from '../../db/tables.ts'
import type { ProfileChange, Profile as StoredProfile } from '../../db/transaction.ts'
import type { Me, Profile, ProfileRequest, User } from '../../schemas/account.ts'
import { metadataText } from './content.ts'
import type { Chat, Identity } from './context.ts'

/**
 * Changes my profile: null removes a member, an absent one stays as it is. A change without effect is not published.
 * @returns my account
 * @throws AppError `RATE_LIMITED`; `VALIDATION_FAILED` if `metadata` breaks the rules for metadata
 */
export const setMyProfile = async (chat: Chat, me: Identity, request: ProfileRequest): Promise<Me> => {
  const change = toProfileChange(request)
  chat.changeLimit(me)
  return toMe(await chat.writer.append('setProfile', { user_id: me.user_id, change }))
}

/** @throws AppError `VALIDATION_FAILED` if `metadata` breaks the rules for metadata */
export const toProfileChange = ({ metadata, ...request }: ProfileRequest): ProfileChange => ({
  ...request,
  ...(metadata !== undefined && { metadata: metadata && metadataText(metadata) }),
})

type Account = { id: number; username: string } & StoredProfile

export const toUser = ({ id, username, ...stored }: Account): User => {
  const profile = toProfile(stored)
  return { id, username, ...(profile && { profile }) }
}

export const toMe = (user: Account & { password_hash: string | null }): Me => ({
  ...toUser(user),
  has_password: user.password_hash !== null,
})

/** @returns the object with its profile as replies have it; without `profile` if the user set nothing */
export const withProfile = <T extends StoredProfile>(
  row: T,
): Omit<T, keyof StoredProfile> & { profile?: Profile } => {
  const { display_name, avatar_url, metadata, ...rest } = row
  const profile = toProfile(row)
  return { ...rest, ...(profile && { profile }) }
}

/** @returns undefined if the user set nothing */
export const toProfile = ({ display_name, avatar_url, metadata }: StoredProfile): Profile | undefined => {
  if (display_name === null && avatar_url === null && metadata === null) return undefined
  return {
    ...(display_name !== null && { display_name }),
    ...(avatar_url !== null && { avatar_url }),
    ...(metadata !== null && { metadata: JSON.parse(metadata) as Record<string, unknown> }),
  }
}

/** Membership periods that one read of `contactsOf` covers. */
const PERIODS = 128

/**
 * Finds users who are in a conversation with a user and whom no block separates from the user. Other work runs between two
 * reads.
 * @param maxRows after how many rows, of membership periods and of members, it reads no further
 * @yields the user first, then the members of one conversation after the other, the user included
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

type Period = NonNullable<(typeof events.periodsOf)['row']>
