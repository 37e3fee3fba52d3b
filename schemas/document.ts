import { Type } from '@sinclair/typebox'
import { examples } from './examples.ts'

/** What the documents say of the whole interface. */
export const apiInfo = {
  title: 'Messenger',
  version: '1.1.0',
  license: { name: 'MIT', identifier: 'MIT' },
  contact: { name: 'The operator of this server' },
  description: [
    'A messaging server that never loses and never doubles a message: an answer means that what it answers is on disk.',
    'Bodies are JSON, are never coerced, and an unknown member is refused. Ids are integers below 2^53 (`int64`) and rise in the order in which messages were stored; times are RFC 3339, UTC, with milliseconds.',
    '**What may grow.** Replies may gain members, `Event` may gain types, and a string with `x-extensible-enum` may gain values: its description says how to treat an unknown one. Ignore unknown members, and skip events of an unknown `type` but keep their `cursor`. A member keeps its meaning and its type wherever it appears. Requests are closed: send only what this document has.',
    '**Versions and deprecation.** `info.version` follows Semantic Versioning. Additions raise the minor version. What is to go is marked `deprecated` here, and its replies carry `Deprecation` (RFC 9745) and `Sunset` (RFC 8594) for six months at least before a new major version may drop it. Nothing is deprecated today.',
    '**Refusals** are problems of RFC 9457 (`application/problem+json`). Their `code` is stable; `x-codes` and the replies of each operation list those that it can give. An unknown address answers `ROUTE_NOT_FOUND`.',
    '**Repeats.** A send with a `client_id` can be repeated: the same key and content is the same message. The header `Idempotency-Key` is the same key for clients that prefer a header; where both are given they must be equal, else the answer is `VALIDATION_FAILED`. The same key with another content is `IDEMPOTENCY_KEY_REUSED`. `POST /groups` takes the same header: the same key, title and members is the same group. `PUT`, `PATCH` and `DELETE` can be repeated without a key.',
    '**Generators.** openapi-generator refuses unknown members in its Java client for okhttp-gson unless it runs with `--additional-properties=disallowAdditionalPropertiesIfNotPresent=false`.',
    'The socket, `GET /ws`, is described frame by frame in the AsyncAPI document at `/asyncapi.json`.',
  ].join('\n\n'),
}

export const apiServers = [
  { url: 'http://localhost:3000', description: 'As `npm start` runs it.' },
  { url: '/', description: 'The server that gave this document.' },
  {
    url: 'http://{host}:{port}',
    description: 'Any other server.',
    variables: {
      host: { default: 'localhost', description: 'Its name or address.' },
      port: { default: '3000', description: 'Its port.' },
    },
  },
]

export const apiTags = [
  { name: 'Accounts', description: 'Logging in, tokens, passwords, and finding people.' },
  { name: 'Messages', description: 'Sending, reading, editing and deleting.' },
  { name: 'Conversations', description: 'What one is in, who else is, and how far each has read.' },
  { name: 'Groups', description: 'Making groups, and who is in them.' },
  { name: 'Blocks', description: 'Whom one wants to hear nothing of.' },
  { name: 'Stream', description: 'What happens, as it happens: over a socket or by long polling.' },
  { name: 'Operation', description: 'Whether the server is well, and what describes it.' },
]

export const bearerScheme = {
  type: 'http' as const,
  scheme: 'bearer',
  bearerFormat: 'JWT',
  description: 'The `token` of `POST /login`, which lives for 24 hours unless the server says otherwise.',
}

/** For the sockets of browsers, which can't set the header. */
export const subprotocolScheme = {
  type: 'httpApiKey' as const,
  in: 'header' as const,
  name: 'Sec-WebSocket-Protocol',
  description:
    'For browsers: `bearer.` and the token, offered as a subprotocol beside `messenger.v1`. The server selects `messenger.v1`.',
}

/** Puts the examples beside the schemas that they are of. */
export const addExamples = (schemas: Record<string, { examples?: unknown[] }>) => {
  for (const [name, list] of Object.entries(examples)) {
    const schema = schemas[name]
    if (schema) schema.examples = list
  }
}

/** A machine-readable description of the interface. */
export const Document = Type.Unsafe<object>({
  $id: 'Document',
  type: 'object',
  additionalProperties: true,
  description: 'An OpenAPI or AsyncAPI document, as JSON.',
})
