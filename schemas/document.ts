import { Type } from '@sinclair/typebox'
import { examples } from './examples.ts'
import { webhookEvents } from './webhook.ts'

/** `info` of the OpenAPI document. */
export const apiInfo = {
  title: 'Messenger',
  version: '1.2.0',
  license: { name: 'MIT', identifier: 'MIT' },
  contact: { name: 'The operator of this server' },
  description: [
    'A messaging server that never loses and never duplicates a message. A successful response means that the change is on disk.',
    'Bodies are JSON. Values are never coerced and unknown members are rejected. Ids are integers below 2^53 (`int64`) and rise in the order in which messages were stored. Times are RFC 3339, UTC, with milliseconds.',
    '**Extensions.** Responses may gain members, `Event` may gain types, and a string with `x-extensible-enum` may gain values: its description says how to treat an unknown value. Ignore unknown members. Skip events of an unknown `type`, but keep their `cursor`. A member keeps its meaning and its type wherever it appears. Requests are closed: send only the members that this document lists.',
    '**Versions and deprecation.** `info.version` follows Semantic Versioning. Additions raise the minor version. A deprecated operation or member is marked `deprecated` in this document, and its responses carry `Deprecation` (RFC 9745) and `Sunset` (RFC 8594) for at least six months before a new major version may remove it. Nothing is deprecated today.',
    '**Errors** are problem details of RFC 9457 (`application/problem+json`). Their `code` is stable. `x-codes` and the responses of each operation list the codes that it can return. An unknown path returns `ROUTE_NOT_FOUND`.',
    '**Retries.** You can safely repeat a send that has a `client_id`: the same key with the same content returns the original message. Clients that prefer a header can send the key as `Idempotency-Key`. If you send both, they must be equal, or the response is `VALIDATION_FAILED`. The same key with different content returns `IDEMPOTENCY_KEY_REUSED`. `POST /groups` accepts the same header: the same key, title and members return the original group. `PUT`, `PATCH` and `DELETE` can be repeated without a key.',
    '**Generators.** The Java client of openapi-generator for okhttp-gson rejects unknown members unless you generate it with `--additional-properties=disallowAdditionalPropertiesIfNotPresent=false`.',
    'The AsyncAPI document at `/asyncapi.json` describes each frame of the WebSocket at `GET /ws`.',
  ].join('\n\n'),
}

export const apiServers = [
  { url: 'http://localhost:3000', description: 'A local server started with `npm start`.' },
  { url: '/', description: 'The server that serves this document.' },
  {
    url: 'http://{host}:{port}',
    description: 'Another server.',
    variables: {
      host: { default: 'localhost', description: 'Host name or address.' },
      port: { default: '3000', description: 'Port.' },
    },
  },
]

export const apiTags = [
  { name: 'Accounts', description: 'Login, tokens, passwords, profiles and user search.' },
  { name: 'Messages', description: 'Send, read, edit, delete and report messages.' },
  { name: 'Conversations', description: 'Your conversations, their members and read marks.' },
  { name: 'Groups', description: 'Create groups and change their members.' },
  { name: 'Blocks', description: 'Block and unblock users.' },
  {
    name: 'App',
    description: 'Accounts, moderation, events and webhooks: for the backend of your app, with a server key.',
  },
  { name: 'Stream', description: 'Receive events over a WebSocket or by long polling.' },
  { name: 'Operation', description: 'Health, metrics and API documents.' },
]

export const bearerScheme = {
  type: 'http' as const,
  scheme: 'bearer',
  bearerFormat: 'JWT',
  description:
    'The `token` of `POST /login`, which expires after `TOKEN_TTL` (default 24 hours), or a token of an issuer in `TOKEN_ISSUERS`.',
}

export const serverKeyScheme = {
  type: 'http' as const,
  scheme: 'bearer',
  description:
    'A server key, `msk_…`, of `npm run admin -- key create NAME`. For the backend of your app only: a key may do everything. With `On-Behalf-Of` it does what a user does, without it what the app does.',
}

/**
 * The header of a request that a server key makes on behalf of a user. `src/chat/server-keys.ts` validates it, when it decodes the
 * name. It has no example, because the reference page would send the example with each request.
 */
export const OnBehalfOf = {
  type: 'string',
  description:
    'Only with a server key: the name of the user on whose behalf the request is made, in UTF-8 and percent-encoded. The limits of the user do not apply.',
}

/** Requests that the server sends to the app. `FeedEvent` names the schema of each type of event. */
export const apiWebhooks = {
  events: {
    post: {
      operationId: 'receiveEvents',
      security: [],
      summary: 'Receive the changes of everybody',
      description:
        'The events of `GET /events`, in order, at most 100 events or one change, and about 1 MiB. The next batch follows after a reply with 2xx.',
      requestBody: {
        required: true,
        content: { 'application/json': { schema: { $ref: '#/components/schemas/WebhookBatch' } } },
      },
      parameters: ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => ({
        name,
        in: 'header' as const,
        required: true,
        schema: { type: 'string' as const },
        description: 'See Standard Webhooks 1.0.',
      })),
      responses: {
        204: { description: 'The events are stored. Any 2xx says so.' },
        409: { description: 'The receiver has another cursor, which the body names: `{"cursor": "…"}`.' },
        410: { description: 'The receiver is gone: the server disables the webhook.' },
      },
      'x-events': Object.fromEntries(
        Object.entries(webhookEvents).map(([type, { $id }]) => [
          type,
          { $ref: `#/components/schemas/${$id}` },
        ]),
      ),
    },
  },
}

/** For WebSockets of browsers, which cannot set the `Authorization` header. */
export const subprotocolScheme = {
  type: 'httpApiKey' as const,
  in: 'header' as const,
  name: 'Sec-WebSocket-Protocol',
  description:
    'For browsers: offer the subprotocols `messenger.v1` and `bearer.` followed by the token. The server selects `messenger.v1`.',
}

/** Adds the examples to the schemas of the same name. */
export const addExamples = (schemas: Record<string, { examples?: unknown[] }>) => {
  for (const [name, list] of Object.entries(examples)) {
    const schema = schemas[name]
    if (schema) schema.examples = list
  }
}

export const Document = Type.Unsafe<object>({
  $id: 'Document',
  type: 'object',
  additionalProperties: true,
  description: 'An OpenAPI or AsyncAPI document, as JSON.',
})
