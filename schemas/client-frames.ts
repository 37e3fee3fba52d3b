import { Type } from '@sinclair/typebox'
import { ContentInput, ConversationId, described, Id, request, type Static, UsernameInput } from './common.ts'
import { receiptMembers } from './conversation.ts'
import { FrameId, frameType, type Members } from './frame.ts'
import { sendMembers } from './message.ts'

const clientFrame = <T extends string, P extends Members>(
  type: T,
  $id: string,
  description: string,
  members: P,
) => request({ type: frameType(type), id: Type.Optional(FrameId), ...members }, { $id, description })

const MessageId = described(Id, 'The id of a message that you sent.')

/**
 * The schema of each frame that a client sends, by `type`. src/realtime/frames.ts has the other columns: load class, answer
 * and handler.
 */
export const clientFrames = {
  // First contract: a frame without `type` is a `send`.
  send: request(
    { type: Type.Optional(frameType('send')), id: Type.Optional(FrameId), ...sendMembers },
    {
      $id: 'SendFrame',
      description: 'Sends a message. Give either `receiver_username` or `conversation_id`.',
    },
  ),
  edit: clientFrame('edit', 'EditFrame', 'Replaces the content of a message that you sent.', {
    message_id: MessageId,
    content: ContentInput,
  }),
  delete: clientFrame(
    'delete',
    'DeleteFrame',
    'Empties a message that you sent. The message keeps its position in the conversation.',
    { message_id: MessageId },
  ),
  receipt: clientFrame('receipt', 'ReceiptFrame', 'Moves your marks forward.', receiptMembers),
  typing: clientFrame(
    'typing',
    'TypingFrame',
    'Tells the other members that you are typing. It is never stored or answered, and is passed on at most once in 3 s.',
    { conversation_id: ConversationId },
  ),
  watch: clientFrame(
    'watch',
    'WatchFrame',
    'Subscribes to the presence of these users and replaces the previous list. You see users with whom you share a conversation.',
    {
      usernames: Type.Array(UsernameInput, {
        maxItems: 100,
        description: 'The users to watch, at most 100. An empty list unsubscribes.',
      }),
    },
  ),
  auth: clientFrame(
    'auth',
    'AuthFrame',
    'Replaces the token of the socket. Send a fresh token of the same user before the current one expires.',
    { token: Type.String({ description: 'The `token` of `POST /token` or `POST /login`.' }) },
  ),
  ping: clientFrame(
    'ping',
    'PingFrame',
    'Asks for a `pong`. Browsers do not show the pings of the WebSocket protocol.',
    {},
  ),
}
export type ClientFrames = { [K in keyof typeof clientFrames]: Static<(typeof clientFrames)[K]> }

export const ClientFrame = Type.Unsafe<ClientFrames[keyof ClientFrames]>({
  $id: 'ClientFrame',
  description: 'A frame that a client sends. A frame without `type` is a `send`.',
  oneOf: Object.values(clientFrames).map(({ $id }) => ({ $ref: `${$id}#` })),
})
