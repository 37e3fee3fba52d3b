import { setTimeout as pause } from 'node:timers/promises'
import { get, postHead } from '../../../bench/load/http.ts'
import { type Attack, names, type Target } from './attack.ts'
import { Connection } from './connection.ts'
import { keepRequesting } from './patterns.ts'
import { retryAfterOf } from './replies.ts'

const GROUP = 256

export const newGroups: Attack = {
  name: 'new-groups',
  title: 'one user creates groups of 256 over eight connections, as fast as they are answered',
  users: ['owner'],
  fill(fill) {
    for (const name of ['owner', ...names('user', GROUP - 1)]) fill.user(name)
  },
  mebibytes: 300,
  async run(target) {
    const body = JSON.stringify({ title: 'group', members: names('user', GROUP - 1) })
    const request = postHead('/groups', target.tokens.owner as string, body.length) + body
    await keepRequesting(target, 8, () => request)
    target.note(`${target.replies['200'] ?? 0} groups`)
  },
}

/** Removes an account, and retries after each hint. */
const removeAccount = async (target: Target, token: string) => {
  const connection = await Connection.open(target)
  const request = get('/users/me', token).replace('GET', 'DELETE')
  for (;;) {
    const { status, headers } = await connection.request(request)
    if (status !== 503 && status !== 429) break
    await pause(retryAfterOf(headers) * 1000)
  }
  connection.close()
}

/** @param count accounts to remove at once, each a member of every group */
export const createRemovals = (count: number, groups: number): Attack => ({
  name: `removals-${count}`,
  title: `${count} \`DELETE /users/me\` at once, of members of ${groups.toLocaleString('en')} groups of 256`,
  users: names('leaver', count),
  fill(fill, scaled) {
    const people = [...names('user', GROUP - count), ...names('leaver', count)].map((name) => fill.user(name))
    for (let group = scaled(groups); group > 0; group -= 1) fill.group(people)
  },
  mebibytes: 300,
  async run(target) {
    const started = performance.now()
    await Promise.all(Object.values(target.tokens).map((token) => removeAccount(target, token)))
    target.note(`done after ${((performance.now() - started) / 1000).toFixed(1)} s`)
  },
})
