import { Type } from '@sinclair/typebox'
import { examples } from './examples.ts'

/** What the documents say of the whole interface. */
export const apiInfo = {
  title: 'Messenger',
  version: '1.0.0',
  license: { name: 'MIT', identifier: 'MIT' },
  description: [
    'A messaging server that never loses and never doubles a message: an answer means that what it answers is on disk.',
    'Bodies are JSON, are never coerced, and an unknown member is refused. Ids are integers below 2^53 and rise in the order in which messages were stored; times are RFC 3339, UTC, with milliseconds. Replies may gain members: ignore what you don’t know.',
    'Every refusal is a problem of RFC 9457 (`application/problem+json`). Its `code` is stable; each operation lists those that it can give. Any address may also answer what is found before there is an operation: `BAD_REQUEST`, `ROUTE_NOT_FOUND`, `METHOD_NOT_ALLOWED`, `REQUEST_TIMEOUT`, `URI_TOO_LONG`, `HEADERS_TOO_LARGE`.',
    'The socket, `GET /ws`, is described frame by frame in the AsyncAPI document at `/asyncapi.json`.',
  ].join('\n\n'),
}

export const apiServers = [
  { url: '/', description: 'The server that gave this document.' },
  {
    url: 'http://{host}:{port}',
    description: 'Any other server; as `npm start` runs it where nothing else is said.',
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
export const Document = Type.Object(
  {},
  {
    $id: 'Document',
    additionalProperties: true,
    description: 'An OpenAPI or AsyncAPI document, as JSON.',
  },
)
