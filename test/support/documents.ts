import { readFileSync } from 'node:fs'
import { Ajv, type ValidateFunction } from 'ajv'

type Content = { schema?: { $ref: string }; examples?: Record<string, { value: object }> }
export type Response = { $ref?: string; description?: string; content?: Record<string, Content> }
type Operation = { operationId: string; responses: Record<string, Response>; 'x-codes': string[] }

export type OpenApi = {
  paths: Record<string, Record<string, Operation>>
  webhooks: { events: { post: { 'x-events': Record<string, { $ref: string }> } } }
  components: { schemas: Record<string, object>; responses: Record<string, Response> }
}
export type AsyncApi = {
  channels: Record<'stream' | 'plain', { messages: Record<string, object>; 'x-close-codes': object }>
  operations: Record<string, { action: string; channel: { $ref: string }; messages: { $ref: string }[] }>
  components: { schemas: Record<string, { properties: { type: { const: string } } }> }
}

const read = (path: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8'))

/** The committed documents. documents.test.ts compares them with the code. */
export const openApi = read('docs/openapi.json') as OpenApi
export const asyncApi = read('docs/asyncapi.json') as AsyncApi

/** Errors found before routing, which every path can return. */
const beforeRouting = new Set([
  'BAD_REQUEST',
  'ROUTE_NOT_FOUND',
  'METHOD_NOT_ALLOWED',
  'REQUEST_TIMEOUT',
  'URI_TOO_LONG',
  'HEADERS_TOO_LARGE',
])

/** Close codes that the server does not send. */
const clientCloseCodes = new Set([1000, 1005, 1006])

/** @throws an error if docs/openapi.json does not list the path, status, code or a member of a reply */
export const checkReply = (method: string, path: string, status: number, headers: Headers, text: string) => {
  if (method === 'HEAD' || method === 'OPTIONS') return
  const fail = (what: string): never => {
    throw new Error(`${method} ${path} ${status}: ${what} is not in docs/openapi.json: ${text.slice(0, 300)}`)
  }
  const type = headers.get('content-type')?.split(';')[0] ?? ''
  if (type === 'application/problem+json') {
    const wrong = validate(openApiRefs, '#/components/schemas/Problem', JSON.parse(text))
    if (wrong) fail(wrong)
    if (beforeRouting.has((JSON.parse(text) as { code: string }).code)) return
  }
  const operation = operationOf(method, path)
  // The document does not describe pages and their files.
  if (!operation && status === 200) return
  const reply = resolved(operation?.responses[status] ?? fail('this status'))
  if (!reply.content) {
    if (text !== '') fail('a body')
    return
  }
  const { schema } = reply.content[type] ?? fail(`the type "${type}"`)
  const isProblem = type === 'application/problem+json'
  if (isProblem && !operation?.['x-codes'].includes((JSON.parse(text) as { code: string }).code))
    fail('this code')
  if (schema?.$ref && type.endsWith('json')) {
    const body: unknown = JSON.parse(text)
    const wrong = validate(openApiRefs, schema.$ref, body) ?? wrongEvent(body)
    if (wrong) fail(wrong)
  }
}

/** @returns the part of a server frame that docs/asyncapi.json does not describe, or undefined. */
export const checkFrame = (frame: { type: string }, isPlain: boolean): string | undefined => {
  const ref = framesOf(isPlain ? 'plain' : 'stream').get(frame.type)
  const wrong = ref ? validate(asyncApiRefs, ref, frame) : 'this type'
  return wrong && `${wrong} is not in docs/asyncapi.json: ${JSON.stringify(frame).slice(0, 300)}`
}

/** Checks each event of a page by the schema of its type. The schemas of the pages list the members of all types. */
const wrongEvent = (body: unknown): string | undefined => {
  const { events = [] } = body as { events?: { type: string }[] }
  const { Event, FeedEvent } = openApi.components.schemas as Record<string, Record<string, object>>
  const schemas: Record<string, string> = { ...Event?.['x-frames'], ...FeedEvent?.['x-events'] }
  return events
    .map((event) => {
      const ref = schemas[event.type]
      return ref ? validate(openApiRefs, ref, event) : `an event of the type ${event.type}`
    })
    .find((wrong) => wrong !== undefined)
}

/** @returns the part of a request to a webhook that docs/openapi.json does not describe, or undefined. */
export const checkBatch = (batch: { events: { type: string }[] }): string | undefined => {
  const { 'x-events': schemas } = openApi.webhooks.events.post
  const wrong =
    validate(openApiRefs, '#/components/schemas/WebhookBatch', batch) ??
    batch.events
      .map((event) => {
        const ref = schemas[event.type]?.$ref
        return ref ? validate(openApiRefs, ref, event) : `an event of the type ${event.type}`
      })
      .find((each) => each !== undefined)
  return wrong && `${wrong} is not in docs/openapi.json: ${JSON.stringify(batch).slice(0, 300)}`
}

/** @returns the reply, with its reference resolved. */
export const resolved = (reply: Response): Response =>
  reply.$ref ? (openApi.components.responses[reply.$ref.split('/').at(-1) as string] as Response) : reply

/** @returns whether the document explains this close code. */
export const isKnownClose = (code: number): boolean =>
  clientCloseCodes.has(code) || code in asyncApi.channels.stream['x-close-codes']

/** @returns the operation of a path or a path template. */
const operationOf = (method: string, address: string): Operation | undefined => {
  const path = address.split('?')[0] as string
  patterns ??= Object.keys(openApi.paths)
    // Literal paths come before templates: /users/me matches both.
    .toSorted((a, b) => Number(a.includes('{')) - Number(b.includes('{')))
    .map((template) => [template, new RegExp(`^${template.replaceAll(/\{\w+\}/g, '[^/]*')}/?$`)] as const)
  const found = patterns.find(([, pattern]) => pattern.test(path))
  return found && openApi.paths[found[0]]?.[method.toLowerCase()]
}
let patterns: (readonly [string, RegExp])[] | undefined

/** @returns the schema reference of each frame type that the server sends on a channel. */
const framesOf = (channel: 'stream' | 'plain'): Map<string, string> => {
  channels[channel] ??= new Map(
    Object.values(asyncApi.operations)
      .filter(({ action, channel: at }) => action === 'send' && at.$ref === `#/channels/${channel}`)
      .flatMap(({ messages }) => messages)
      .map(({ $ref }) => $ref.split('/').at(-1) as string)
      .map((name) => [
        asyncApi.components.schemas[name]?.properties.type.const as string,
        `#/components/schemas/${name}`,
      ]),
  )
  return channels[channel]
}
const channels: Partial<Record<'stream' | 'plain', Map<string, string>>> = {}

/** Compiles the schemas of a document on first use, because a test file needs only a few of them. */
const lazyRefs = (document: object) => {
  let ajv: Ajv | undefined
  const compiled = new Map<string, ValidateFunction>()
  return (ref: string): ValidateFunction => {
    ajv ??= new Ajv({
      strict: false,
      discriminator: false,
      formats: {
        text: true,
        int64: true,
        https: /^https:/,
        'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
      },
    }).addSchema(closed(document) as object, 'document')
    const known = compiled.get(ref) ?? ajv.compile({ $ref: `document${ref}` })
    compiled.set(ref, known)
    return known
  }
}

/** Closes every object schema: the server may send only documented members, although clients ignore unknown ones. */
const closed = (document: object): unknown =>
  JSON.parse(
    JSON.stringify(document),
    (_key, value: { additionalProperties?: unknown; properties?: object }) =>
      value?.additionalProperties === undefined && typeof value?.properties === 'object'
        ? { ...value, additionalProperties: false }
        : value,
  )

const openApiRefs = lazyRefs(openApi)
const asyncApiRefs = lazyRefs(asyncApi)

/** @returns the first validation error of `value`, or undefined. */
const validate = (refs: typeof openApiRefs, ref: string, value: unknown): string | undefined => {
  const check = refs(ref)
  if (check(value)) return undefined
  const { instancePath = '', message, params } = check.errors?.[0] ?? {}
  return `"${instancePath} ${message} ${JSON.stringify(params)}"`
}
