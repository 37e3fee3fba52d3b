import { isDeepStrictEqual } from 'node:util'
import t, { type Test } from 'tap'
import { examples } from '../../schemas/examples.ts'
import { openApi } from '../support/documents.ts'
import { createApp } from '../support/server-key.ts'
import { call, type Person, startServer } from '../support/server.ts'

type Name = keyof typeof examples
type Media = { content?: Record<string, { schema: { $ref: string } }> }
type Operation = {
  operationId: string
  parameters?: { in: string; name: string; example?: string | number }[]
  requestBody?: Media
  responses: Record<string, Media>
}

const varying = new Set(['token', 'secret', 'request_id', 'error', 'duration_ms'])

/** Epochs, times, tokens, secrets, request ids, and what the network says differ in each run. */
const masked = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (key, member: unknown) => {
    if (varying.has(key)) return key
    if (typeof member !== 'string') return member
    return member.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/, 'a time').replace(/^[\w-]{8}\.(\d+)$/, 'epoch.$1')
  })

const story = Object.entries(examples).flatMap(([name, list]) =>
  list.map((example, index) => ({ key: `${name} ${index}`, name: name as Name, example: masked(example) })),
)
const untold = new Set(story.map(({ key }) => key))

/** Records a sent or received value and everything in it. */
const tell = (value: unknown): void => {
  if (typeof value !== 'object' || value === null) return
  for (const { key, example } of story) if (isDeepStrictEqual(example, value)) untold.delete(key)
  for (const member of Object.values(value)) tell(member)
}

/** Fails unless `value` equals an example of `name`, apart from masked values. */
const isExample = (t: Test, name: Name, value: unknown, who: string) => {
  const found = masked(value)
  const list = story.filter((entry) => entry.name === name).map(({ example }) => example)
  const same = list.find((example) => isDeepStrictEqual(example, found))
  t.strictSame(found, same ?? list[0], `${who}: an example of ${name}`)
  tell(found)
}

const operations = Object.entries(openApi.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, ...(operation as Operation) })),
)

const nameOf = (media: Media | undefined) =>
  Object.values(media?.content ?? {})[0]
    ?.schema.$ref?.split('/')
    .at(-1) as Name | undefined

/** Calls an operation with the examples of its path and body. The reply must be an example too. */
const play = async (t: Test, url: string, who: Pick<Person, 'token'> | undefined, id: string, query = '') => {
  const { path, method, parameters, requestBody, responses } = operations.find(
    ({ operationId }) => operationId === id,
  ) as (typeof operations)[number]
  const address = path.replaceAll(/\{(\w+)\}/g, (_, name) =>
    String(parameters?.find((parameter) => parameter.in === 'path' && parameter.name === name)?.example),
  )
  const bodyName = nameOf(requestBody)
  const body = bodyName && examples[bodyName][0]
  tell(masked(body ?? null))
  const reply = await call<unknown>(url, method.toUpperCase(), address + query, {
    ...(who && { token: who.token }),
    ...(body && { body }),
  })
  const name = nameOf(responses[reply.status])
  t.ok(reply.status < 300, `${id}: ${reply.status}`)
  if (name) isExample(t, name, reply.body, id)
}

t.test('a real server answers the HTTP examples with the documented replies', async (t) => {
  const server = await startServer(t)
  const { url, login } = server
  await play(t, url, undefined, 'login')
  const alice = await login('alice')
  const bob = await login('bob')
  const carol = await login('carol')
  const played = new Set(['login'])
  const as = (who: Pick<Person, 'token'> | undefined) => async (id: string, query?: string) => {
    played.add(id)
    await play(t, url, who, id, query)
  }

  await as(undefined)('getLive')
  await as(undefined)('getReady')
  await as(alice)('getMe')
  await as(alice)('findUsers', '?prefix=bo')
  const { cursor } = (await bob.call<{ cursor: string }>('GET', '/sync')).body
  await as(alice)('sendMessage')
  await as(bob)('sync', `?cursor=${cursor}`)
  await as(alice)('getHistory')
  await as(alice)('listMessages')
  await as(alice)('listMembers')
  await as(bob)('listConversations')
  await as(bob)('getConversation')
  await as(bob)('putReceipt')
  await as(alice)('editMessage')
  await as(bob)('reportMessage')
  await as(alice)('deleteMessage')
  await as(alice)('createGroup')
  await as(alice)('renameGroup')
  const { status } = await alice.call('PUT', '/groups/2/members/carol')
  t.equal(status, 200)
  await as(alice)('removeMember')
  await as(alice)('addMember')
  await as(carol)('blockUser')
  await as(carol)('listBlocks')
  await as(carol)('unblockUser')
  const refused = await carol.call('GET', '/history/dave')
  isExample(t, 'Problem', refused.body, 'getHistory of nobody')
  await as(bob)('setProfile')
  await as(alice)('getUser')
  await as(carol)('removeMe')
  await as(alice)('setPassword')
  await as(alice)('renewToken')
  await as(alice)('logout')

  const app = { token: (await createApp(server)).key }
  await as(app)('getEvents', '?cursor=0&limit=1')
  await as(app)('putUser')
  await as(app)('createToken')
  await as(app)('logOutUser')
  await as(app)('suspendUser')
  await as(app)('endSuspension')
  await as(app)('putGroup')
  await as(app)('listReports')
  await as(app)('setReport')
  await as(app)('removeUser')
  await as(app)('putWebhook')
  await as(app)('getWebhook')
  await as(app)('listWebhooks')
  await as(app)('testWebhook')
  await as(app)('rotateWebhookSecret')
  await as(app)('deleteWebhook')

  // The reply of `moveWebhook` depends on how far the delivery is.
  const others = ['moveWebhook', 'connect', 'getMetrics', 'getOpenApi', 'getAsyncApi']
  t.strictSame(
    operations.map(({ operationId }) => operationId).filter((id) => !played.has(id)),
    operations.map(({ operationId }) => operationId).filter((id) => others.includes(id)),
    'every operation with a named reply is called',
  )
})

t.test('a real server answers the frame examples with the documented frames', async (t) => {
  const { login } = await startServer(t)
  const alice = await login('alice')
  const bob = await login('bob')
  await login('carol')
  const a = await alice.connect()
  const b = await bob.connect()
  const send = (socket: typeof a, name: Name, more: object = {}) => {
    const frame = examples[name][0] as Record<string, unknown>
    tell(masked(frame))
    socket.send({ ...frame, ...more })
  }

  const hello = await b.wait('hello')
  isExample(t, 'HelloFrame', hello, 'Bob comes')
  send(a, 'SendFrame')
  isExample(t, 'AckFrame', await a.wait('ack', ({ id }) => id === 'a1'), 'Alice writes')
  isExample(t, 'ConversationFrame', await b.wait('conversation'), 'Bob has a conversation')
  isExample(t, 'MessageFrame', await b.wait('message'), 'and a message')
  send(b, 'ReceiptFrame')
  isExample(t, 'AckFrame', await b.wait('ack', ({ id }) => id === 'b1'), 'Bob reads')
  isExample(t, 'ReceiptUpdateFrame', await a.wait('receipt'), 'Alice sees that')
  send(b, 'TypingFrame')
  isExample(t, 'TypingUpdateFrame', await a.wait('typing'), 'and that he types')
  send(a, 'WatchFrame')
  isExample(t, 'PresenceFrame', await a.wait('presence'), 'and that he is there')
  isExample(t, 'AckFrame', await a.wait('ack', ({ id }) => id === 'a4'), 'the requested change')
  send(a, 'EditFrame')
  isExample(t, 'MessageUpdatedFrame', await b.wait('message_updated'), 'Bob sees an edit')
  send(a, 'DeleteFrame')
  await b.wait('message_updated', ({ deleted_at }) => deleted_at !== undefined)
  send(a, 'AuthFrame', { token: alice.token })
  await a.wait('ack', ({ id }) => id === 'a5')
  send(a, 'PingFrame')
  isExample(t, 'PongFrame', await a.wait('pong'), 'Alice is answered')
  send(a, 'SendFrame', { id: 'a7', receiver_username: 'dave', client_id: 'another' })
  isExample(t, 'ErrorFrame', await a.wait('error'), 'Alice writes to nobody')
  const again = await bob.connect({ cursor: hello.cursor })
  isExample(t, 'CaughtUpFrame', await again.wait('caught_up'), 'Bob comes back')
  await bob.call('PATCH', '/users/me', examples.ProfileRequest[0])
  isExample(t, 'UserFrame', await a.wait('user'), 'Bob changes his profile')
})

t.test('every example is used', async (t) => {
  t.strictSame([...untold], [])
})
