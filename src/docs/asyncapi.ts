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

/** A socket without a subprotocol, for clients of the first contract. */
const plain = { sends: ['SendFrame'], receives: ['MessageFrame', 'AckFrame', 'ErrorFrame'] }

/** Made from the schemas that validate the frames. */
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
      server: server('ws', '3000', 'As `npm start` runs it.'),
      secure: server('wss', '443', 'Behind a proxy that ends TLS.'),
    },
    channels: {
      stream: {
        address: '/ws',
        title: 'messenger.v1',
        summary: 'Everything that happens to a user, in order, and all that a user can do',
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
        summary: 'The first contract: direct messages, and nothing else',
        description:
          'Without a subprotocol. A client sends messages, and receives each direct message that is sent to its user; what it got wrong comes back as an `error`. An `ack` comes only where a frame has a `client_id` or an `id`. There is no cursor: what comes while the socket is closed is found in the history.',
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
        description: 'A direct message to a user.',
        messages: plain.sends.map((name) => channelMessage('plain', name)),
      },
      sendPlain: {
        action: 'send',
        channel: { $ref: '#/channels/plain' },
        summary: 'What a plain socket receives.',
        description: 'A direct message to this user, or an answer.',
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
            'Any frame of a client may carry an `id` of its own; the `ack`, `error` or `pong` that answers it returns it.',
          location: '$message.payload#/id',
        },
      },
      securitySchemes: { bearerToken: bearerScheme, subprotocolToken: subprotocolScheme },
    },
  }
}

const description =
  'What goes over `GET /ws`: JSON text frames, told apart by `type`. It is written from the server’s side: it receives what a client sends, and sends what a client receives. Clients ignore frames and members that they don’t know.'

const streamDescription = [
  'With the subprotocol `messenger.v1`. The server speaks first, with `hello`. Frames with a `cursor` stand in one order, the same for every device; keep the last cursor that was seen.',
  'To go on after a break connect with `?cursor=` and that cursor: what was missed comes once and in order, then `caught_up`, then what happens now. An unknown cursor is told by an `error` (`CURSOR_UNKNOWN`), then `hello` at the newest: load the conversations anew.',
  'An answer to a change means that it is on disk. A frame that was not answered is sent again with the same `client_id`, over any socket or HTTP, and is stored once.',
  'When the server closes the socket `x-close-codes` says why, and whether to come back: `resume`, after a random delay that grows; `renew`, with a fresh token; `fix`, not before the client was mended.',
].join('\n\n')

const subprotocol = {
  type: 'string',
  description: '`messenger.v1`; in a browser beside it `bearer.` and the token.',
  examples: ['messenger.v1', 'messenger.v1, bearer.eyJhbGciOiJIUzI1NiJ9.e30.c2ln'],
}

const server = (protocol: 'ws' | 'wss', port: string, text: string) => ({
  host: '{host}:{port}',
  protocol,
  description: text,
  variables: {
    host: { default: 'localhost', description: 'The server’s name or address.' },
    port: { default: port, description: 'Its port.' },
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

/** In a message `id` is the message's own. */
const isCorrelated = ({ properties }: Frame) => (properties as { id: { type: string } }).id.type === 'string'

/** @returns the named schemas, and all that they refer to, as AsyncAPI has them. */
const usedSchemas = (names: readonly string[]) => {
  const byName = new Map(namedSchemas.map((schema) => [schema.$id, schema]))
  const schemas: Record<string, object> = {}
  const wanted = new Set(names)
  // A set goes on to what is added while it is gone through.
  for (const name of wanted) {
    const schema = toDocument(byName.get(name) as object)
    schemas[name] = schema
    for (const [, inner] of JSON.stringify(schema).matchAll(/"#\/components\/schemas\/(\w+)"/g))
      wanted.add(inner as string)
  }
  addExamples(schemas)
  return schemas
}

/** @returns a schema as plain JSON, with references into this document; a string of one value is a `const`. */
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

/** @returns the AsyncAPI document of the socket, made when it is first asked for. */
export const asyncApi = () => (document ??= createAsyncApi())
