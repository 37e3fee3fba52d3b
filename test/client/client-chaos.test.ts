import t from 'tap'
import { WebSocket } from 'ws'
import { Messenger } from '../../client/src/index.ts'
import { startServer } from '../support/server.ts'
import { seededRandom, startProxy } from '../support/unreliable-proxy.ts'

const COUNT = 5000
const GROUPS = 15
const SEED = 20_261_122

const LIMITS = {
  HEARTBEAT_MS: '100',
  RATE_LIMIT_SEND: '0',
  RATE_LIMIT_LOGIN: '0',
  SOCKET_FRAMES_PER_SECOND: '100000',
}

t.test(
  'over connections that are cut, stalled, slowed and half-closed no message is lost, doubled or out of order',
  async (t) => {
    const { url, login } = await startServer(t, LIMITS)
    const proxy = await startProxy(t, url, seededRandom(SEED), 250_000)
    const people = { alice: await login('alice'), bob: await login('bob') }
    const groups: number[] = []
    for (let index = 0; index < GROUPS; index += 1) {
      groups.push((await people.alice.createGroup(`${index}`, ['bob'])).id)
    }

    const join = async (username: 'alice' | 'bob', peer: string, more: object) => {
      const messenger = new Messenger({
        url: proxy.url,
        username,
        backoff: { min: 10, max: 200 },
        timeout: 500,
        ...more,
      })
      const received: { id: number; sender: string; conversation_id: number; content: string }[] = []
      const done = new Promise<void>((resolve) => {
        messenger.on('message', (message) => {
          received.push(message)
          if (received.length === 2 * COUNT) resolve()
        })
      })
      const send = () =>
        Promise.all(
          Array.from({ length: COUNT }, (_, index) => {
            const group = groups[index % (GROUPS + 1)]
            const to = group === undefined ? { receiver_username: peer } : { conversation_id: group }
            return messenger.send({ ...to, content: String(index) })
          }),
        )
      await messenger.connect()
      return { messenger, received, done, send }
    }

    const alice = await join('alice', 'bob', {})
    const bob = await join('bob', 'alice', { WebSocket })
    const started = performance.now()
    const [sent] = await Promise.all([alice.send(), bob.send()])
    t.comment(`acked after ${Math.round(performance.now() - started)} ms`)
    await Promise.all([alice.done, bob.done])
    t.comment(`${Math.round(performance.now() - started)} ms`, proxy.happened)
    await Promise.all([alice.messenger.close(), bob.messenger.close()])

    t.equal(new Set(sent.map(({ id }) => id)).size, COUNT)
    for (const { received } of [alice, bob]) {
      const ids = received.map(({ id }) => id)
      t.strictSame(
        ids,
        [...new Set(ids)].toSorted((a, b) => a - b),
        'each once, ids rising',
      )
      for (const name of ['alice', 'bob']) {
        const byConversation = Map.groupBy(
          received.filter(({ sender }) => sender === name),
          (m) => m.conversation_id,
        )
        t.equal(byConversation.size, GROUPS + 1)
        const isInOrder = [...byConversation.values()].every((list) =>
          list.every(
            ({ content }, index) => index === 0 || Number(list[index - 1]?.content) < Number(content),
          ),
        )
        t.ok(isInOrder, `what ${name} sent to a conversation is there in that order`)
        t.equal([...byConversation.values()].flat().length, COUNT, `all of ${name}'s`)
      }
    }
  },
)
