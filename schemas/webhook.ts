import { Type } from '@sinclair/typebox'
import { User } from './account.ts'
import {
  ConversationId,
  Cursor,
  CursorInput,
  described,
  Id,
  openEnum,
  ref,
  reply,
  request,
  type Static,
  stringEnum,
  Timestamp,
} from './common.ts'
import { type FeedEvent, feedEvents } from './feed.ts'
import { eventSchema } from './frame.ts'
import { Message } from './message.ts'
import { patterns } from './patterns.ts'

export const UnreadPending = reply(
  {
    type: stringEnum(['unread.pending'], { description: 'The type of the event: `unread.pending`.' }),
    user: ref(User),
    conversation_id: ConversationId,
    unread_count: Type.Integer({ description: 'Number of unread messages, 1,000 at most.' }),
    newest_id: described(Id, 'Id of the newest message that waited for `push_after_seconds`.'),
    newest: ref(Message),
  },
  {
    $id: 'UnreadPending',
    description:
      'A user has unread messages in a conversation that no device has received. Sent again only after the user has read something in the conversation. It has no number and no cursor.',
  },
)
export type UnreadPending = Static<typeof UnreadPending>

/** The schema of each event of a webhook, by `type`. */
export const webhookEvents = { ...feedEvents, 'unread.pending': UnreadPending }

const types = Object.keys(webhookEvents)

export const WebhookEvent = eventSchema<FeedEvent | UnreadPending>(
  webhookEvents,
  'x-events',
  {
    type: openEnum(types, {
      description: 'The type of the event. More values may be added: skip an event of an unknown type.',
    }),
    cursor: Cursor,
  },
  {
    $id: 'WebhookEvent',
    description:
      'An event of the feed, or `unread.pending`, which has no cursor. `x-events` names the schema of each type. New types may be added: skip events of an unknown type.',
    required: ['type'],
  },
)
export type WebhookEvent = Static<typeof WebhookEvent>

export const WebhookBatch = reply(
  {
    previous: described(
      Cursor,
      'The cursor of the previous batch, or the one that you gave in an answer 409. If you stored another one, answer 409 with `{"cursor": …}`.',
    ),
    cursor: described(
      Cursor,
      'The cursor after this batch: store it together with the effects of the events. Equal to `previous` in a batch of `unread.pending` and in a test.',
    ),
    events: Type.Array(ref(WebhookEvent), { description: 'Oldest first.' }),
  },
  {
    $id: 'WebhookBatch',
    description:
      'The body of one request to a webhook: at most 100 events and 1 MiB, unless a single change has more.',
  },
)
export type WebhookBatch = Static<typeof WebhookBatch>

const Name = Type.String({
  pattern: patterns.webhookName.pattern,
  description: 'Name of the webhook: 1 to 64 letters, digits, `_` or `-`.',
  examples: ['orders'],
})
export const WebhookParams = request({ name: Name })

const Types = Type.Array(openEnum(types, { maxLength: 64, description: 'Type of an event.' }), {
  minItems: 1,
  maxItems: types.length,
  uniqueItems: true,
  description: 'Types of the events to deliver. Absent: all types of the feed.',
})
const Url = Type.String({
  minLength: 1,
  maxLength: 2048,
  description: 'URL that receives the batches: `https`, at a public address.',
})
const Description = Type.String({ maxLength: 256, format: 'text', description: 'A note for people.' })
const PushAfter = Type.Integer({
  minimum: 1,
  maximum: 86_400,
  description:
    'Seconds after which `unread.pending` announces a message that no device of a user has received. A value adds this event to `types`. Default: 10 if `types` names `unread.pending`, otherwise the event is not sent.',
})

export const WebhookRequest = request(
  {
    url: Url,
    types: Type.Optional(Types),
    description: Type.Optional(Description),
    push_after_seconds: Type.Optional(PushAfter),
    cursor: Type.Optional(
      described(
        CursorInput,
        'Where a new webhook begins. `0`: at the beginning. Absent: after the newest change. Ignored if the webhook exists.',
      ),
    ),
  },
  { $id: 'WebhookRequest', description: 'Settings of a webhook. Absent members get their defaults.' },
)
export type WebhookRequest = Static<typeof WebhookRequest>

export const WebhookStatus = openEnum(['active', 'failing', 'disabled'], {
  $id: 'WebhookStatus',
  description:
    '`failing`: the last attempt failed, the next one follows. `disabled`: the receiver answered 410; `PUT` enables it again. More values may be added: treat an unknown one as `active`.',
})

const state = {
  name: Type.String({ description: 'Name of the webhook.' }),
  url: Type.String({ description: 'URL that receives the batches.' }),
  types: Type.Optional(
    Type.Array(Type.String(), {
      description: 'Types of the events that are delivered. Absent: all types of the feed.',
    }),
  ),
  description: Type.Optional(Description),
  push_after_seconds: Type.Optional(
    Type.Integer({
      description:
        'Seconds after which `unread.pending` is sent. Absent: the webhook does not get this event.',
    }),
  ),
  status: ref(WebhookStatus),
  created_at: described(Timestamp, 'Time of the creation: RFC 3339, UTC, milliseconds.'),
  cursor: described(
    Cursor,
    'The cursor of the last batch that the receiver answered by 2xx, or where it begins.',
  ),
  lag: Type.Integer({
    format: 'int64',
    description:
      'Number of changes that are not delivered yet. Some of them may have no event for the webhook.',
  }),
  lag_seconds: Type.Number({
    description: 'Age of the oldest message or batch that is not delivered yet. 0: none.',
  }),
  attempts: Type.Integer({ description: 'Number of failed attempts to deliver the next batch.' }),
  last_error: Type.Optional(
    Type.String({ description: 'Why the last attempt failed. Absent if it did not.' }),
  ),
  last_error_at: Type.Optional(described(Timestamp, 'Time of that attempt.')),
  next_at: Type.Optional(described(Timestamp, 'Time of the next attempt. Absent if none waits.')),
  delivered_at: Type.Optional(
    described(Timestamp, 'Time at which a batch was last answered by 2xx. Absent if none was.'),
  ),
}

export const Webhook = reply(state, {
  $id: 'Webhook',
  description: 'A webhook and the state of its delivery.',
})
export type Webhook = Static<typeof Webhook>

const Secret = Type.String({
  description: 'The secret of the signatures: `whsec_` and base64. Shown only here.',
})

export const PutWebhook = reply(
  {
    ...state,
    secret: Type.Optional(described(Secret, `${Secret.description} Present if the webhook is new.`)),
  },
  { $id: 'PutWebhook', description: 'A webhook, with its secret if it is new.' },
)
export type PutWebhook = Static<typeof PutWebhook>

export const WebhookList = reply(
  { webhooks: Type.Array(ref(Webhook), { description: 'By name.' }) },
  { $id: 'WebhookList', description: 'All webhooks.' },
)
export type WebhookList = Static<typeof WebhookList>

export const RotatedSecret = reply(
  {
    secret: Secret,
    previous_valid_until: described(Timestamp, 'Until then the old secret signs each request too.'),
  },
  { $id: 'RotatedSecret', description: 'The new secret of a webhook.' },
)
export type RotatedSecret = Static<typeof RotatedSecret>

export const MoveRequest = request(
  {
    cursor: described(CursorInput, 'The cursor after which to continue. `0` is the cursor of the beginning.'),
  },
  { $id: 'MoveRequest', description: 'Where a webhook continues.' },
)
export type MoveRequest = Static<typeof MoveRequest>

export const WebhookTest = reply(
  {
    status: Type.Optional(
      Type.Integer({ description: 'HTTP status of the receiver. Absent if it did not answer.' }),
    ),
    error: Type.Optional(Type.String({ description: 'Why the receiver did not answer. Absent if it did.' })),
    duration_ms: Type.Integer({ description: 'Milliseconds until the answer or the failure.' }),
  },
  { $id: 'WebhookTest', description: 'The result of a test request.' },
)
export type WebhookTest = Static<typeof WebhookTest>
