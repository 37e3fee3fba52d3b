import t from 'tap'
import { Type } from '@sinclair/typebox'
import type { Problem } from '../../schemas/problem.ts'
import { fieldErrors, strictAjv } from '../../schemas/validation.ts'
import { startServer } from '../support/server.ts'

const { login, call } = await startServer(t)
const alice = await login('alice')

t.test('each field error names the member and its part of the request', async (t) => {
  const text = 'content must not be longer than 4,096 characters; it has 4,097'
  for (const [method, path, body, at, part, message] of [
    ['POST', '/send', { receiver_username: 'bob' }, '/content', 'body', 'content is missing'],
    ['POST', '/send', { content: 'x', x: 1 }, '/x', 'body', 'x is not a known member'],
    ['POST', '/send', { content: 7 }, '/content', 'body', 'content must be a string'],
    ['POST', '/send', { content: '' }, '/content', 'body', 'content must not be empty'],
    ['POST', '/send', { receiver_username: 'alice', content: 'x'.repeat(4097) }, '/content', 'body', text],
    ['POST', '/send', { content: '\0' }, '/content', 'body', /^content must be well-formed/],
    [
      'POST',
      '/send',
      { content: 'x', conversation_id: 0 },
      '/conversation_id',
      'body',
      /must be at least 1$/,
    ],
    [
      'POST',
      '/send',
      { content: 'x' },
      '/receiver_username',
      'body',
      /^receiver_username or conversation_id/,
    ],
    ['POST', '/send', [], '', 'body', 'the body must be an object'],
    ['POST', '/groups', { title: 'x', members: [1] }, '/members/0', 'body', 'members[0] must be a string'],
    ['PUT', '/conversations/1/receipt', {}, '', 'body', 'the body must not be empty'],
    ['POST', '/send', { receiver_username: 'no', content: 'x' }, '/receiver_username', 'body', /\w/],
    ['GET', '/history/alice?limit=0', undefined, '/limit', 'query', 'limit must be at least 1'],
    ['GET', '/history/alice?x=1', undefined, '/x', 'query', 'x is not a known member'],
    ['GET', '/history/alice?before=2&after=1', undefined, '/after', 'query', /^after and before cannot/],
    ['GET', '/history/nobody', undefined, '/username', 'path', /\w/],
    ['DELETE', '/messages/x', undefined, '/id', 'path', 'id must be an integer'],
    ['GET', '/blocks?before=x', undefined, '/before', 'query', 'before must be the `before` of a page'],
    [
      'PUT',
      '/groups/by-key/%C3%A9',
      { title: 'x', members: [] },
      '/key',
      'path',
      'key must have printable ASCII characters only, and must not be "." or ".."',
    ],
    [
      'PUT',
      '/webhooks/a.b',
      { url: 'https://app.example.org' },
      '/name',
      'path',
      'name must be 1 to 64 ASCII letters, digits, "_" or "-"',
    ],
    ...(
      [
        [{ types: [] }, '/types', 'types must not be empty'],
        [{ types: ['user.created', 'user.created'] }, '/types', 'types must not have the same item twice'],
        [{ description: '\0' }, '/description', /^description must be well-formed Unicode without/],
        [{ description: '\ud800' }, '/description', /^description must be well-formed Unicode without/],
      ] as const
    ).map(
      ([members, at, message]) =>
        ['PUT', '/webhooks/x', { url: 'https://app.example.org', ...members }, at, 'body', message] as const,
    ),
  ] as const) {
    const { body: problem } = await alice.call<Problem>(method, path, body)
    const name = `${method} ${path} ${JSON.stringify(body)?.slice(0, 80)}`
    t.match(problem.errors, [{ path: at, in: part, message }], name)
    if (problem.code === 'VALIDATION_FAILED') t.match(problem.detail, problem.errors?.[0]?.message, name)
  }
})

t.test('a header error names the header', async (t) => {
  const content = { receiver_username: 'alice', content: 'x' }
  const { body } = await alice.call('POST', '/send', content, { 'idempotency-key': 'x'.repeat(65) })
  t.match(body.errors, [
    {
      path: '/headers/idempotency-key',
      in: 'header',
      message: 'idempotency-key must not be longer than 64 characters',
    },
  ])
  const latin = await alice.call('POST', '/send', content, { 'idempotency-key': 'é' })
  t.match(latin.body.errors, [
    { in: 'header', message: 'idempotency-key must have printable ASCII characters only' },
  ])
})

t.test('a frame error names the member', async (t) => {
  const socket = await alice.connect()
  const wrong = await socket.request({ type: 'edit', message_id: 'x', content: 'y' })
  t.match(wrong, {
    problem: { errors: [{ path: '/message_id', in: 'frame', message: 'message_id must be an integer' }] },
  })
  const many = await socket.request({ type: 'watch', usernames: Array.from({ length: 101 }, String) })
  t.match(many, { problem: { errors: [{ message: 'usernames must not have more than 100 items' }] } })
  const unknown = await socket.request({ receiver_username: 'nobody', content: 'y' })
  t.match(unknown, { problem: { errors: [{ path: '/receiver_username', in: 'frame' }] } })
})

t.test('the name of an unknown member is truncated in the message', async (t) => {
  const name = 'x'.repeat(10_000)
  const { body } = await call<Problem>('POST', '/login', { body: { username: 'a', [name]: 1 } })
  t.ok(body.detail.length < 200)
})

t.test('a rule of a schema that has no sentence of its own gets that of the validator', async (t) => {
  const isEven = strictAjv.compile(Type.Object({ count: Type.Number({ multipleOf: 2 }) }))
  t.notOk(isEven({ count: 3 }))
  t.match(fieldErrors(isEven.errors), [{ path: '/count', message: 'count must be multiple of 2' }])
})
