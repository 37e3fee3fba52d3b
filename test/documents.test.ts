import { readFile } from 'node:fs/promises'
import t from 'tap'
import { generate } from '../scripts/generate.ts'
import { errors } from '../src/errors.ts'
import { asyncApi, openApi } from './support/documents.ts'
import { call, startServer } from './support/server.ts'

const file = (path: string) => readFile(new URL(`../${path}`, import.meta.url), 'utf8')

t.test('every generated file is what the code makes now', async (t) => {
  for (const [path, text] of await generate()) {
    t.ok(text === (await file(path)), `${path} is current; else npm run generate`)
  }
})

t.test('the server gives the documents that are committed', async (t) => {
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
      requestBody?: { content: Record<string, { schema: object }> }
    }),
    call: `${method.toUpperCase()} ${path}`,
  })),
)

t.test('every call of the contract is there, under a name, and nothing else', async (t) => {
  t.strictSame(Object.fromEntries(operations.map(({ call: name, operationId }) => [name, operationId])), {
    'POST /login': 'login',
    'POST /token': 'renewToken',
    'POST /logout': 'logout',
    'GET /users/me': 'getMe',
    'DELETE /users/me': 'removeMe',
    'PUT /users/me/password': 'setPassword',
    'GET /users': 'findUsers',
    'POST /send': 'sendMessage',
    'GET /history/{username}': 'getHistory',
    'PATCH /messages/{id}': 'editMessage',
    'DELETE /messages/{id}': 'deleteMessage',
    'GET /conversations': 'listConversations',
    'GET /conversations/{id}': 'getConversation',
    'GET /conversations/{id}/messages': 'listMessages',
    'GET /conversations/{id}/members': 'listMembers',
    'PUT /conversations/{id}/receipt': 'putReceipt',
    'POST /groups': 'createGroup',
    'PATCH /groups/{id}': 'renameGroup',
    'PUT /groups/{id}/members/{username}': 'addMember',
    'DELETE /groups/{id}/members/{username}': 'removeMember',
    'PUT /blocks/{username}': 'blockUser',
    'DELETE /blocks/{username}': 'unblockUser',
    'GET /blocks': 'listBlocks',
    'GET /sync': 'sync',
    'GET /ws': 'connect',
    'GET /health/live': 'getLive',
    'GET /health/ready': 'getReady',
    'GET /metrics': 'getMetrics',
    'GET /openapi.json': 'getOpenApi',
    'GET /asyncapi.json': 'getAsyncApi',
  })
})

t.test('every call has one tag, words, and says whether it needs a token', async (t) => {
  const open = ['login', 'getLive', 'getReady', 'getMetrics', 'getOpenApi', 'getAsyncApi']
  for (const { operationId, tags, summary, description, security } of operations) {
    t.equal(tags.length, 1, `${operationId} has one tag`)
    t.ok(summary && description, `${operationId} is described`)
    t.strictSame(
      security,
      open.includes(operationId) ? [] : [{ bearerToken: [] }],
      `${operationId}: security`,
    )
  }
})

t.test('every body has a name, and every name is one of ours', async (t) => {
  for (const { operationId, requestBody, responses } of operations) {
    for (const { content = {} } of [requestBody ?? {}, ...Object.values(responses)]) {
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

t.test('every code of the table is in a document, and every code of a document in the table', async (t) => {
  const introduction = JSON.stringify((openApi as unknown as { info: object }).info)
  const onSocketsOnly = ['UNKNOWN_FRAME']
  const listed = new Set(
    operations.flatMap(({ responses }) =>
      Object.values(responses).flatMap(({ content = {} }) =>
        Object.values(content).flatMap((media) => media['x-codes'] ?? []),
      ),
    ),
  )
  for (const code of Object.keys(errors)) {
    const isAnywhere = introduction.includes(`\`${code}\``)
    t.ok(listed.has(code) || isAnywhere || onSocketsOnly.includes(code), `${code} is in the document`)
    t.notOk(listed.has(code) && isAnywhere, `${code} is in one place`)
    listed.delete(code)
  }
  t.strictSame([...listed], [])
})
