import { get, postHead } from '../../../bench/load/http.ts'
import { type Attack, pause, type Target } from './attack.ts'
import { type Answer, Connection } from './connection.ts'

type Page = { events: unknown[]; cursor: string }
type Filled = { groups: number[] }
const pageOf = ({ body }: Answer) => JSON.parse(body) as Page

/** One message wakes every call of `/sync` that waits, and each looks through all groups. */
export const longPolls: Attack = {
  name: 'long-polls',
  title:
    'a user in 10,000 groups with 250 calls of `/sync` that wait; a message to one of the groups, three times',
  people: ['poller', 'friend'],
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
    let { cursor } = pageOf(await (first as Connection).ask(get('/sync', poller)))
    for (let round = 0; round < 3; round += 1) {
      const request = get(`/sync?cursor=${cursor}&wait=30`, poller)
      const waits = Promise.all(polls.map((poll) => poll.ask(request)))
      // Nothing tells whether a call waits already; one that comes after the message is answered at once.
      await pause(1000)
      await send(target, sender as Connection, groups[round % groups.length] as number, friend)
      const answers = (await waits).filter(({ status }) => status === 200)
      const missed = answers.filter((answer) => pageOf(answer).events.length !== 1).length
      if (missed > 0 || answers.length === 0) {
        target.wrong(`of ${answers.length} calls that waited ${missed} did not get the one message`)
      }
      if (answers[0]) cursor = pageOf(answers[0]).cursor
    }
    for (const connection of [sender as Connection, ...polls]) connection.close()
  },
}

const send = async (target: Target, connection: Connection, conversation_id: number, token: string) => {
  const body = JSON.stringify({ conversation_id, content: 'hello' })
  const { status } = await connection.ask(postHead('/send', token, body.length) + body)
  if (status !== 200) target.wrong(`the message was answered with ${status}`)
}
