import t from 'tap'
import type { FeedPage } from '../../schemas/feed.ts'
import type { Message } from '../../schemas/message.ts'
import { inRepository, spawnExample } from '../support/example.ts'
import { createApp } from '../support/server-key.ts'
import { startServer } from '../support/server.ts'

t.test('curl.sh creates users and a group, sends once, and reads the feed, each time it runs', async (t) => {
  const server = await startServer(t)
  const { key } = await createApp(server)
  for (const run of ['first', 'second']) {
    const command = ['bash', inRepository('examples/curl.sh'), server.url]
    const example = spawnExample(t, server.folder, { MESSENGER_KEY: key }, command)
    t.equal(await example.exited, 0, example.output())
    const replies = example
      .output()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object)
    t.equal(replies.length, 4, run)
    const [ann, , sent, page] = replies as [object, object, Message, FeedPage]
    t.match(ann, { username: 'ann', profile: { display_name: 'Ann' } })
    t.match(sent, { sender: 'ann', content: 'Where is my order?' })
    const messages = page.events.filter(({ type }) => type === 'message.created')
    t.match(messages, [{ message: { id: sent.id, sender: 'ann' } }], 'the message is there once')
    t.equal(messages.length, 1)
  }
})
