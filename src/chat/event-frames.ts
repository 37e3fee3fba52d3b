import type { Event } from '../../db/changes.ts'
import type { EventFrame, EventFrames } from '../../schemas/events.ts'
import { keyAndMetadata } from './group-state.ts'
import { toMessage } from './messages.ts'

type EventType = Event['type']
type EventOf<T extends EventType> = Event & { type: T }

type EventRow<T extends EventType> = {
  /** @returns the members of the frame beside `type` and `cursor`, as the user `viewer_id` sees them */
  members(event: EventOf<T>, viewer_id: number): Omit<EventFrames[T], 'type' | 'cursor'>
  /** @returns whether the members for this viewer differ from those for a user whom the event does not name */
  isPersonal(event: EventOf<T>, viewer_id: number): boolean
}

const message: EventRow<'message'> & EventRow<'message_updated'> = {
  members: (event, viewer_id) => toMessage(event.message, viewer_id),
  // Only the sender sees the `client_id`.
  isPersonal: (event, viewer_id) => event.message.sender_id === viewer_id && event.message.client_id !== null,
}

/** The table of events: the schema of each is in schemas/events.ts. A missing row does not compile. */
const eventTable: { [T in keyof EventFrames]: EventRow<T> } = {
  message,
  message_updated: message,
  receipt: {
    members: ({ conversation_id, username, delivered_up_to, read_up_to }) => ({
      conversation_id,
      username,
      delivered_up_to,
      read_up_to,
    }),
    isPersonal: () => false,
  },
  conversation: {
    members(
      { conversation_id, kind, title, key, metadata, member_count, joined, left, owners, pair },
      viewer_id,
    ) {
      const peer = pair.find(({ user_id }) => user_id !== viewer_id) ?? pair[0]
      const you = joined.includes(viewer_id) ? 'joined' : left.includes(viewer_id) ? 'left' : 'member'
      return {
        conversation_id,
        kind,
        ...(title !== null && { title }),
        ...(peer && { peer: peer.username }),
        member_count,
        ...(you !== 'left' && keyAndMetadata({ key, metadata })),
        ...(kind === 'group' &&
          you !== 'left' &&
          owners && { role: owners.includes(viewer_id) ? 'owner' : 'member' }),
        you,
      }
    },
    isPersonal: ({ joined, left, owners = [], pair }, viewer_id) =>
      pair.length > 0 || [joined, left, owners].some((ids) => ids.includes(viewer_id)),
  },
}

/** @returns the frame of `event` for the user `viewer_id` */
export const toEventFrame = (event: Event, viewer_id: number, cursor: string) =>
  ({
    type: event.type,
    cursor,
    ...eventTable[event.type].members(event as never, viewer_id),
  }) as EventFrame

/** @returns whether the frame for this viewer differs from the frame for a user whom the event does not name */
export const isPersonal = (event: Event, viewer_id: number): boolean =>
  eventTable[event.type].isPersonal(event as never, viewer_id)
