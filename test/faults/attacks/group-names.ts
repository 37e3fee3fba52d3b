import { postHead } from '../../../bench/load/http.ts'
import type { Attack } from './attack.ts'
import { completeAtOnce } from './connection.ts'

/** Each name is a kilobyte as JSON, and a thousand are below 1 MiB. */
const body = JSON.stringify({ title: 'x', members: Array.from({ length: 1024 }, () => '\u0001'.repeat(168)) })

/** Names that can't be valid fill the queue of the writer, which takes them for small. */
export const groupNames: Attack = {
  name: 'group-names',
  title: '700 `POST /groups` of 1,024 names of 168 control characters, completed in one turn',
  people: ['attacker'],
  mebibytes: 400,
  async run(target) {
    const request = Buffer.from(postHead('/groups', target.tokens.attacker as string, body.length) + body)
    await completeAtOnce(target, target.scaled(700), request)
  },
}
