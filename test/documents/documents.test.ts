import { readFile } from 'node:fs/promises'
import t from 'tap'
import { generate } from '../../scripts/generate.ts'
import { Ajv } from 'ajv'
import { type ErrorCode, errorInfo, errors } from '../../src/errors.ts'
import { asyncApi, openApi, resolved } from '../support/documents.ts'
import { call, startServer } from '../support/server.ts'

const file = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8')

t.test('every generated file matches the code', async (t) => {
  for (const [path, text] of await generate()) {
    t.ok(text === (await file(path)), `${path} is current (npm run generate updates it)`)
  }
})

t.test('the server serves the committed documents', async (t) => {
  const { url } = await startServer(t)
  for (const name of ['openapi', 'asyncapi']) {
    const { status, headers, body } = await call(url, 'GET', `/${name}.json`)
    t.equal(status, 200)
    t.match(headers.get('content-type'), /^application\/json/)
    t.strictSame(body, JSON.parse(await file(`docs/${name}.json`)))
  }
})

const operations = Object.entries(openApi.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    ...(operation as (typeof openApi.paths)[string][string] & {
      tags: string[]
      summary: string
      description: string
      security: object[]
      parameters?: { name: string }[]
      requestBody?: { content: Record<string, { schema: object }> }
    }),
    call: `${method.toUpperCase()} ${path}`,
  })),
)

t.test('the OpenAPI document has exactly the operations of the contract, each with its name', async (t) => {
  t.strictSame(Object.fromEntries(operations.map(({ call: name, operationId }) => [name, operationId])), {
    'POST /login': 'login',
    'POST /token': 'renewToken',
    'POST /logout': 'logout',
    'GET /users/me': 'getMe',
    'PATCH /users/me': 'setProfile',
    'DELETE /users/me': 'removeMe',
    'PUT /users/me/password': 'setPassword',
    'GET /users': 'findUsers',
    'GET /users/{username}': 'getUser',
    'PUT /users/{username}': 'putUser',
    'DELETE /users/{username}': 'removeUser',
    'POST /users/{username}/tokens': 'createToken',
    'POST /users/{username}/logout': 'logOutUser',
    'PUT /users/{username}/suspension': 'suspendUser',
    'DELETE /users/{username}/suspension': 'endSuspension',
    'POST /send': 'sendMessage',
    'GET /history/{username}': 'getHistory',
    'PATCH /messages/{id}': 'editMessage',
    'DELETE /messages/{id}': 'deleteMessage',
    'POST /messages/{id}/reports': 'reportMessage',
    'GET /reports': 'listReports',
    'PATCH /reports/{id}': 'setReport',
    'GET /conversations': 'listConversations',
    'GET /conversations/{id}': 'getConversation',
    'GET /conversations/{id}/messages': 'listMessages',
    'GET /conversations/{id}/members': 'listMembers',
    'PUT /conversations/{id}/receipt': 'putReceipt',
    'POST /groups': 'createGroup',
    'PUT /groups/by-key/{key}': 'putGroup',
    'PATCH /groups/{id}': 'renameGroup',
    'PUT /groups/{id}/members/{username}': 'addMember',
    'DELETE /groups/{id}/members/{username}': 'removeMember',
    'PUT /blocks/{username}': 'blockUser',
    'DELETE /blocks/{username}': 'unblockUser',
    'GET /blocks': 'listBlocks',
    'GET /sync': 'sync',
    'GET /events': 'getEvents',
    'PUT /webhooks/{name}': 'putWebhook',
    'GET /webhooks': 'listWebhooks',
    'GET /webhooks/{name}': 'getWebhook',
    'DELETE /webhooks/{name}': 'deleteWebhook',
    'POST /webhooks/{name}/rotate': 'rotateWebhookSecret',
    'POST /webhooks/{name}/cursor': 'moveWebhook',
    'POST /webhooks/{name}/test': 'testWebhook',
    'GET /ws': 'connect',
    'GET /health/live': 'getLive',
    'GET /health/ready': 'getReady',
    'GET /metrics': 'getMetrics',
    'GET /openapi.json': 'getOpenApi',
    'GET /asyncapi.json': 'getAsyncApi',
  })
})

const webhookOperations = [
  ...['putWebhook', 'listWebhooks', 'getWebhook', 'deleteWebhook'],
  ...['rotateWebhookSecret', 'moveWebhook', 'testWebhook'],
]

t.test('every operation has one tag, a description and its security', async (t) => {
  const open = ['login', 'getLive', 'getReady', 'getMetrics', 'getOpenApi', 'getAsyncApi']
  for (const { operationId, tags, summary, description, security, parameters = [] } of operations) {
    t.equal(tags.length, 1, `${operationId} has one tag`)
    t.ok(summary && description, `${operationId} is described`)
    const [token, key] = [{ bearerToken: [] }, { serverKey: [] }]
    const [none, user, app] = [
      open,
      ['connect'],
      [
        ...[
          'putUser',
          'removeUser',
          'createToken',
          'logOutUser',
          'getEvents',
          'suspendUser',
          'endSuspension',
          'listReports',
          'setReport',
          'putGroup',
        ],
        ...webhookOperations,
      ],
    ]
    const callers = none.includes(operationId)
      ? []
      : user.includes(operationId)
        ? [token]
        : app.includes(operationId)
          ? [key]
          : [token, key]
    t.strictSame(security, callers, `${operationId}: security`)
    t.equal(
      parameters.some(({ name }) => name === 'on-behalf-of'),
      callers.length > 1 || operationId === 'putGroup',
      `${operationId}: On-Behalf-Of`,
    )
  }
})

t.test('every body schema is named, and every name is used', async (t) => {
  for (const { operationId, requestBody, responses } of operations) {
    for (const { content = {} } of [requestBody ?? {}, ...Object.values(responses).map(resolved)]) {
      for (const [type, { schema }] of Object.entries(content)) {
        if (type.endsWith('json')) t.match(schema, { $ref: /^#\/components\/schemas\/\w+$/ }, operationId)
      }
    }
  }
  for (const document of [openApi, asyncApi]) {
    for (const [name, schema] of Object.entries(document.components.schemas)) {
      t.match(name, /^[A-Z][A-Za-z]+$/)
      t.ok((schema as { description?: string }).description, `${name} is described`)
    }
  }
})

t.test('every error code is documented, and every documented code is in the table', async (t) => {
  // Only an unknown path or only a socket returns these codes.
  const unlisted = ['ROUTE_NOT_FOUND', 'UNKNOWN_FRAME']
  const listed = new Set(
    operations.flatMap(({ responses }) =>
      Object.values(responses).flatMap(({ $ref, description = '' }) =>
        $ref ? [...description.matchAll(/`([A-Z_]+)`:/g)].map(([, code]) => code as string) : [],
      ),
    ),
  )
  for (const code of Object.keys(errors)) {
    t.equal(listed.has(code), !unlisted.includes(code), `${code} is in the document`)
    listed.delete(code)
  }
  t.strictSame([...listed], [])
})

type Schema = {
  $ref?: string
  type?: string
  format?: string
  enum?: unknown[]
  maximum?: number
  title?: string
  description?: string
  additionalProperties?: boolean
  properties?: Record<string, Schema>
}

/** Every object in a document, with its path. */
const walk = function* (value: unknown, path = '#'): Generator<[path: string, value: Schema]> {
  if (typeof value !== 'object' || value === null) return
  yield [path, value]
  for (const [key, inner] of Object.entries(value)) yield* walk(inner, `${path}/${key}`)
}
const schemas = [openApi, asyncApi].flatMap((document) => [...walk(document)])

t.test('ids, numbers and marks are int64', async (t) => {
  const name = /(?:^|_)id$|_up_to$|^before$|^after$/
  let found = 0
  for (const [path, { properties = {} }] of schemas) {
    for (const [key, { type, format }] of Object.entries(properties)) {
      if (type !== 'integer' || !name.test(key)) continue
      found += 1
      t.equal(format, 'int64', `${path}/${key}`)
    }
  }
  const parameters = schemas.filter(([path]) => /parameters\/\d+$/.test(path)) as unknown as [
    string,
    { name: string; schema: Schema },
  ][]
  for (const [path, { name: key, schema }] of parameters) {
    if (schema.type !== 'integer' || !name.test(key)) continue
    found += 1
    t.equal(schema.format, 'int64', path)
  }
  t.ok(found > 50)
  for (const [path, { maximum, format }] of schemas) {
    if (maximum === Number.MAX_SAFE_INTEGER) t.equal(format, 'int64', path)
  }
})

t.test('reply schemas are open without an index signature, and request schemas are closed', async (t) => {
  for (const [path, { properties, additionalProperties }] of schemas) {
    if (!properties || path.includes('/bindings/')) continue
    const name = path.split('/').at(-1) as string
    const isRequest = name.endsWith('Request') || `receive${name}` in asyncApi.operations
    t.equal(additionalProperties, isRequest ? false : undefined, path)
  }
})

t.test('replies have no closed enumerations, which would break generated clients', async (t) => {
  for (const [path, { enum: values }] of schemas) {
    if (values) t.equal(values.length, 1, `${path}: one value, the discriminator of a frame type`)
  }
  for (const name of ['ConversationKind', 'MemberRole', 'MembershipChange', 'EventType', 'ErrorCode']) {
    t.match(openApi.components.schemas[name], { type: 'string', 'x-extensible-enum': [/./] }, name)
  }
  const event = openApi.components.schemas.Event as Schema
  t.notOk('oneOf' in event || 'anyOf' in event, 'an unknown event type is valid too')
})

t.test('every property and parameter is described', async (t) => {
  for (const [path, { properties = {} }] of schemas) {
    for (const [key, { description, $ref }] of Object.entries(properties)) {
      t.ok(description ?? $ref, `${path}/${key}`)
    }
    if (/parameters\/\d+$/.test(path)) {
      t.ok(schemas.find(([other]) => other === path)?.[1].description, path)
    }
  }
})

t.test('every socket schema has a name', async (t) => {
  for (const [path, { type, enum: values, title, properties }] of walk(asyncApi)) {
    const isNamed = /^#\/components\/schemas\/\w+$/.test(path) || title !== undefined
    if (values || properties) t.ok(isNamed, path)
    if (type === 'object') t.ok(isNamed, path)
  }
})

t.test('every error response is shared, and its text lists the codes of the operation', async (t) => {
  const { Problem, FieldError, ErrorCode, RequestPart } = openApi.components.schemas
  const validate = new Ajv({ strict: false })
    .addSchema({ components: { schemas: { Problem, FieldError, ErrorCode, RequestPart } } }, 'document')
    .compile({ $ref: 'document#/components/schemas/Problem' })
  for (const { operationId, responses, 'x-codes': codes } of operations) {
    for (const status of ['405', '408', '414', '431']) t.ok(responses[status], `${operationId}: ${status}`)
    const ofCall = Object.entries(responses).filter(([status]) => Number(status) >= 400)
    for (const [status, reply] of ofCall) {
      t.match(reply, { $ref: /^#\/components\/responses\/\w+$/, description: /^`[A-Z_]+`: / }, operationId)
      t.ok(resolved(reply).content?.['application/problem+json'], `${operationId}: ${status}`)
    }
    for (const code of codes) {
      const status = String(errorInfo(code as ErrorCode).status)
      t.match(responses[status]?.description, `\`${code}\``, `${operationId}: ${code}`)
    }
  }
  for (const [name, { content = {} }] of Object.entries(openApi.components.responses)) {
    const examples = Object.entries(content['application/problem+json']?.examples ?? {})
    t.ok(examples.length > 0, name)
    for (const [code, { value }] of examples) {
      t.ok(validate(value), `${code}: ${JSON.stringify(validate.errors)}`)
      const { status, title } = errorInfo(code as ErrorCode)
      t.match(value, { code, status, title })
    }
  }
})

t.test('the first server in the document is that of npm start', async (t) => {
  const { info, servers } = openApi as unknown as {
    info: { contact: object; description: string }
    servers: object[]
  }
  t.match(servers[0], { url: 'http://localhost:3000' })
  t.ok(info.contact)
  t.match(info.description, /deprecat/i)
  t.match(info.description, /x-extensible-enum/)
})
