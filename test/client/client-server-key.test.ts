import t from 'tap'
import { Messenger, unwrap } from '../../client/src/index.ts'
import { createApp } from '../support/server-key.ts'
import { startServer } from '../support/server.ts'

t.test('a backend makes the typed calls of the client with a server key', async (t) => {
  const server = await startServer(t)
  const { key } = await createApp(server)
  const { api, profiles } = new Messenger({ url: server.url })
  const headers = { authorization: `Bearer ${key}` }
  const onBehalfOf = (username: string) => ({ 'on-behalf-of': encodeURIComponent(username) })
  const pathOf = (username: string) => ({ headers, params: { path: { username } } })

  for (const [username, display_name] of [
    ['shop', 'The shop'],
    ['ann@app.example', 'Ann'],
  ] as const)
    await unwrap(api.PUT('/users/{username}', { ...pathOf(username), body: { display_name } }))
  const group = await unwrap(
    api.PUT('/groups/by-key/{key}', {
      headers,
      params: { path: { key: 'order/4711' } },
      body: { title: 'Order 4711', members: ['shop', 'ann@app.example'] },
    }),
  )
  const sent = await unwrap(
    api.POST('/send', {
      headers,
      params: { header: onBehalfOf('shop') },
      body: { conversation_id: group.id, content: 'Thank you!' },
    }),
  )
  t.match(sent, { sender: 'shop', content: 'Thank you!' })
  const { token } = await unwrap(
    api.POST('/users/{username}/tokens', { ...pathOf('ann@app.example'), body: { expires_in: 60 } }),
  )
  const ann = new Messenger({ url: server.url, getToken: () => token })
  t.match(await unwrap(ann.api.GET('/conversations')), {
    conversations: [{ key: 'order/4711', last_message: { id: sent.id } }],
  })
  t.strictSame(await ann.profiles.get('shop'), { display_name: 'The shop' })
  await t.rejects(profiles.get('shop'), { code: 'UNAUTHORIZED' }, 'a key is used only where it is given')

  const { events, cursor } = await unwrap(
    api.GET('/events', { headers, params: { query: { cursor: '0', limit: 1000 } } }),
  )
  t.match(events.at(-1), { type: 'message.created', cursor, message: { id: sent.id } })
  await unwrap(
    api.PUT('/users/{username}/suspension', { ...pathOf('ann@app.example'), body: { reason: 'Spam' } }),
  )
  await t.rejects(unwrap(ann.api.GET('/users/me')), { code: 'ACCOUNT_SUSPENDED' })
})
