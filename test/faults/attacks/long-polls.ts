import { setTimeout as pause } from 'node:timers/promises'
import { get, postHead } from '../../../bench/load/http.ts'
import type { Attack, Target } from './attack.ts'
import { Connection } from './connection.ts'
import type { Reply } from './replies.ts'

type Page = { events: unknown[]; cursor: string }
type Filled = { groups: number[] }
const pageOf = ({ body }: Reply) => JSON.parse(body) as Page

/** One message wakes every waiting `/sync` call, and each call checks all groups. */
export const longPolls: Attack = {
  name: 'long-polls',
  title:
    'a user in 10,000 groups with 250 waiting `/sync` calls; a message to one of the groups, three times',
  users: ['poller', 'friend'],
  fill(fill, scaled): Filled {
    const pair = [fill.user('friend'), fill.user('poller')]
    return { groups: Array.from({ length: scaled(10_000) }, () => fill.group(pair)) }
  },
  mebibytes: 300,
  async run(target) {
    const { groups } = target.filled as Filled
    const { poller, friend } = target.tokens as { poller: string; friend: string }
    const [sender, first, ...more] = await Connection.openMany(target, target.scaled(250) + 1)
    const polls = [first as Connection, ...more]
    let { cursor } = pageOf(await (first as Connection).request(get('/sync', poller)))
    for (let round = 0; round < 3; round += 1) {
      const request = get(`/sync?cursor=${cursor}&wait=30`, poller)
      const waits = Promise.all(polls.map((poll) => poll.request(request)))
      // No event shows that a call waits. A call that arrives after the message still returns it, at once.
      await pause(1000)
      await send(target, sender as Connection, groups[round % groups.length] as number, friend)
      const replies = (await waits).filter(({ status }) => status === 200)
      const missed = replies.filter((reply) => pageOf(reply).events.length !== 1).length
      if (missed > 0 || replies.length === 0) {
        target.violation(`${missed} of ${replies.length} waiting calls did not return exactly the message`)
      }
      if (replies[0]) cursor = pageOf(replies[0]).cursor
    }
    for (const connection of [sender as Connection, ...polls]) connection.close()
  },
}

const send = async (target: Target, connection: Connection, conversation_id: number, token: string) => {
  const body = JSON.stringify({ conversation_id, content: 'hello' })
  const { status } = await connection.request(postHead('/send', token, body.length) + body)
  if (status !== 200) target.violation(`the send was answered with ${status}`)
}
