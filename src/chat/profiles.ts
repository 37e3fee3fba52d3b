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
  const { user_id, issued_at } = me
  return toMe(await chat.writer.append('setProfile', { user_id, change, issued_at }))
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
