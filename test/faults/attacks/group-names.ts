import { postHead } from '../../../bench/load/http.ts'
import type { Attack } from './attack.ts'
import { completeAtOnce } from './patterns.ts'

/** As JSON each name takes 1 KB, so the body stays below 1 MiB. */
const body = JSON.stringify({ title: 'x', members: Array.from({ length: 1024 }, () => '\u0001'.repeat(168)) })

/** Invalid names that fill the queue of the writer, which underestimates their size. */
export const groupNames: Attack = {
  name: 'group-names',
  title: '700 `POST /groups` of 1,024 names of 168 control characters, completed in one turn',
  users: ['attacker'],
  mebibytes: 400,
  async run(target) {
    const request = Buffer.from(postHead('/groups', target.tokens.attacker as string, body.length) + body)
    await completeAtOnce(target, target.scaled(700), request)
  },
}
