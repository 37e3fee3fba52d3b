import * as queries from '../../db/queries/blocks.ts'
import { OPEN } from '../../db/tables.ts'
import type { Block, BlockList } from '../../schemas/conversation.ts'
import type { Chat, Identity } from './context.ts'
import { timestamp } from './messages.ts'

/**
 * Blocks a user: neither can send the other a direct message or see the other's presence. A repeat changes nothing.
 * @param name username of the user to block
 * @throws AppError `RATE_LIMITED`, and as the operation `block`
 */
export const blockUser = async (chat: Chat, me: Identity, name: string): Promise<Block> => {
  chat.changeLimit(me)
  const { username, blocked_at } = await chat.writer.append('block', { user_id: me.user_id, username: name })
  return { username, blocked_at: timestamp(blocked_at) }
}

/** Removes my block of a user. Changes nothing if I do not block the user. @throws AppError `RATE_LIMITED`, and as the operation `unblock` */
export const unblockUser = async (chat: Chat, me: Identity, name: string): Promise<void> => {
  chat.changeLimit(me)
  await chat.writer.append('unblock', { user_id: me.user_id, username: name })
}

/**
 * @param page `before`: the `before` of the previous page, `<created_at>.<user id>`
 * @returns a page of the users that I block, newest block first
 */
export const listBlocks = async (
  chat: Chat,
  me: Identity,
  { limit, before }: { limit: number; before?: string | undefined },
): Promise<BlockList> => {
  const [created_at = OPEN, blocked_id = OPEN] = before?.split('.').map(Number) ?? []
  await chat.turns.ready(me.user_id)
  const rows = await chat.reader.all(queries.blocksBy, {
    blocker_id: me.user_id,
    created_at,
    blocked_id,
    limit: limit + 1,
  })
  const page = rows.slice(0, limit)
  const last = rows.length > limit ? page.at(-1) : undefined
  return {
    blocks: page.map(({ username, created_at: at }) => ({ username, blocked_at: timestamp(at) })),
    ...(last && { before: `${last.created_at}.${last.blocked_id}` }),
  }
}
