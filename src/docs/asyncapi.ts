import { addExamples, apiInfo, apiTags, bearerScheme, subprotocolScheme } from '../../schemas/document.ts'
import { examples } from '../../schemas/examples.ts'
import { clientFrames } from '../../schemas/client-frames.ts'
import { serverFrames } from '../../schemas/server-frames.ts'
import { SocketQuery } from '../../schemas/socket.ts'
import { namedSchemas } from '../../schemas/index.ts'
import { closeCodes } from '../close-codes.ts'
import { frameTable } from '../realtime/frames.ts'

type Frame = { $id?: string; description?: string; properties: object }

/** Names of the frames that may answer a client frame. */
const answersOf = (type: keyof typeof frameTable) => {
  const { answer } = frameTable[type]
  return answer === 'none' ? ['ErrorFrame'] : [nameOf(serverFrames[answer]), 'ErrorFrame']
}

/** The frames of a socket without a subprotocol, as clients of the first contract use it. */
const plain = { sends: ['SendFrame'], receives: ['MessageFrame', 'AckFrame', 'ErrorFrame'] }

/** Generates the document from the schemas that validate the frames. */
const createAsyncApi = () => {
  const sends = Object.values(clientFrames).map(nameOf)
  const receives = Object.values(serverFrames).map(nameOf)
  return {
    asyncapi: '3.0.0',
    info: {
      ...apiInfo,
      title: 'Messenger socket',
      license: { name: 'MIT' },
      tags: apiTags.filter(({ name }) => name === 'Stream'),
      description,
    },
    defaultContentType: 'application/json',
    servers: {
      server: server('ws', '3000', 'A server started with `npm start`.'),
      secure: server('wss', '443', 'A server behind a proxy that terminates TLS.'),
    },
    channels: {
      stream: {
        address: '/ws',
        title: 'messenger.v1',
        summary: 'All events of a user in order, and all actions of a user',
        description: streamDescription,
        messages: messagesOf([...sends, ...receives]),
        bindings: binding({
          query: { title: 'SocketQuery', ...SocketQuery },
          headers: {
            title: 'SocketHeaders',
            type: 'object',
            properties: { 'Sec-WebSocket-Protocol': subprotocol },
          },
        }),
        'x-close-codes': closeCodes,
      },
      plain: {
        address: '/ws',
        title: 'Plain socket',
        summary: 'The first contract: direct messages only',
        description:
          'Connect without a subprotocol. The client sends direct messages and receives those sent to its user. An invalid frame is answered with `error`. A frame is answered with `ack` only if it has a `client_id` or an `id`. There is no cursor: read messages that arrived while the socket was closed from the history.',
        messages: messagesOf([...plain.sends, ...plain.receives]),
        bindings: binding({}),
        'x-close-codes': closeCodes,
      },
    },
    operations: {
      ...Object.fromEntries(
        Object.entries(clientFrames).map(([type, frame]) => [
          `receive${nameOf(frame)}`,
          operation('receive', 'stream', frame, {
            reply: {
              channel: { $ref: '#/channels/stream' },
              messages: answersOf(type as keyof typeof frameTable).map((name) =>
                channelMessage('stream', name),
              ),
            },
          }),
        ]),
      ),
      ...Object.fromEntries(
        Object.values(serverFrames).map((frame) => [
          `send${nameOf(frame)}`,
          operation('send', 'stream', frame),
        ]),
      ),
      receivePlain: {
        action: 'receive',
        channel: { $ref: '#/channels/plain' },
        summary: 'The `send` frame.',
        description: 'Sends a direct message to a user.',
        messages: plain.sends.map((name) => channelMessage('plain', name)),
      },
      sendPlain: {
        action: 'send',
        channel: { $ref: '#/channels/plain' },
        summary: 'The frames of a plain socket.',
        description: 'A direct message to this user, or the answer to a frame.',
        messages: plain.receives.map((name) => channelMessage('plain', name)),
      },
    },
    components: {
      messages: Object.fromEntries(
        [...Object.values(clientFrames), ...Object.values(serverFrames)].map((frame) => [
          nameOf(frame),
          message(frame),
        ]),
      ),
      schemas: usedSchemas([...sends, ...receives]),
      correlationIds: {
        frameId: {
          description:
            'Any client frame may have an `id`. The `ack`, `error` or `pong` that answers the frame has the same `id`.',
          location: '$message.payload#/id',
        },
      },
      securitySchemes: { bearerToken: bearerScheme, subprotocolToken: subprotocolScheme },
    },
  }
}

const description =
  'The frames of `GET /ws`: JSON text, distinguished by `type`. This document takes the server’s view: the server receives the frames that a client sends. Clients must ignore unknown frames and unknown members.'

const streamDescription = [
  'Connect with the subprotocol `messenger.v1`. The first frame of the server is `hello`. Frames with a `cursor` have one order, which is the same on every device. Store the last cursor that you received.',
  'To resume, connect with `?cursor=` and that cursor. You receive each missed event exactly once and in order, then `caught_up`, then live events. If the cursor is unknown, you receive an `error` (`CURSOR_UNKNOWN`) and then a `hello` with the newest cursor: reload the conversations.',
  'An answer to a change means that the change is on disk. If a frame was not answered, send it again with the same `client_id`, over any socket or over HTTP. It is stored once.',
  '`x-close-codes` lists why the server closes a socket and whether to reconnect. `resume`: reconnect after a random delay that grows. `renew`: reconnect with a new token. `fix`: do not reconnect, because the client or its user has to change something first.',
].join('\n\n')

const subprotocol = {
  type: 'string',
  description: '`messenger.v1`. In a browser, add `bearer.` followed by the token as a second subprotocol.',
  examples: ['messenger.v1', 'messenger.v1, bearer.eyJhbGciOiJIUzI1NiJ9.e30.c2ln'],
}

const server = (protocol: 'ws' | 'wss', port: string, text: string) => ({
  host: '{host}:{port}',
  protocol,
  description: text,
  variables: {
    host: { default: 'localhost', description: 'Host name or address of the server.' },
    port: { default: port, description: 'Port of the server.' },
  },
  security: [
    { $ref: '#/components/securitySchemes/bearerToken' },
    { $ref: '#/components/securitySchemes/subprotocolToken' },
  ],
})

const nameOf = ({ $id }: Frame) => $id as string

const messagesOf = (names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/messages/${name}` }]))

const channelMessage = (channel: string, name: string) => ({ $ref: `#/channels/${channel}/messages/${name}` })

const binding = (ws: object) => ({ ws: { method: 'GET', ...toDocument(ws), bindingVersion: '0.1.0' } })

const operation = (action: 'receive' | 'send', channel: string, frame: Frame, more: object = {}) => ({
  action,
  channel: { $ref: `#/channels/${channel}` },
  summary: `The \`${typeOf(frame)}\` frame.`,
  description: frame.description,
  messages: [channelMessage(channel, nameOf(frame))],
  ...more,
})

const message = (frame: Frame) => ({
  name: nameOf(frame),
  title: typeOf(frame),
  summary: frame.description,
  contentType: 'application/json',
  payload: { $ref: `#/components/schemas/${nameOf(frame)}` },
  ...('id' in frame.properties &&
    isCorrelated(frame) && { correlationId: { $ref: '#/components/correlationIds/frameId' } }),
  examples: (examples as Record<string, object[]>)[nameOf(frame)]?.map((payload) => ({ payload })),
})

const typeOf = ({ properties }: Frame) => (properties as { type: { enum: string[] } }).type.enum[0]

/** Whether `id` is a correlation id. In a message it is the id of the message. */
const isCorrelated = ({ properties }: Frame) => (properties as { id: { type: string } }).id.type === 'string'

/** @returns the named schemas and all schemas that they refer to, in the form of AsyncAPI */
const usedSchemas = (names: readonly string[]) => {
  const byName = new Map(namedSchemas.map((schema) => [schema.$id, schema]))
  const schemas: Record<string, object> = {}
  const wanted = new Set(names)
  // The loop also visits elements that are added during it.
  for (const name of wanted) {
    const schema = toDocument(byName.get(name) as object)
    schemas[name] = schema
    for (const [, inner] of JSON.stringify(schema).matchAll(/"#\/components\/schemas\/(\w+)"/g))
      wanted.add(inner as string)
  }
  addExamples(schemas)
  return schemas
}

/** @returns a schema as plain JSON with references into this document. An enum of one value becomes a `const`. */
const toDocument = (schema: object): object =>
  JSON.parse(JSON.stringify(schema), (key, value: unknown) => {
    if (key === '$id') return undefined
    if (key === '$ref') return `#/components/schemas/${String(value).slice(0, -1)}`
    if (!isSingleValue(value)) return value
    const { enum: only, ...rest } = value
    return { ...rest, const: only[0] }
  }) as object

const isSingleValue = (value: unknown): value is { enum: [string] } =>
  typeof value === 'object' && value !== null && 'enum' in value && (value.enum as string[]).length === 1

let document: ReturnType<typeof createAsyncApi> | undefined

/** @returns the AsyncAPI document of the socket, which is generated on the first call */
export const asyncApi = () => (document ??= createAsyncApi())
