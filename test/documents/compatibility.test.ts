import t from 'tap'
import { type Member, metricsIn, promises, readReleased } from '../support/promises.ts'
import { startServer } from '../support/server.ts'

const { members: releasedMembers, metrics, ...lists } = await readReleased()
const { members, ...present } = promises()

t.test('everything that the newest release has is still there', async (t) => {
  for (const [name, released] of Object.entries(lists)) {
    const now = new Set(present[name as keyof typeof present])
    t.strictSame(
      released.filter((entry) => !now.has(entry)),
      [],
      name,
    )
  }
  const { url } = await startServer(t)
  const names = metricsIn(await (await fetch(`${url}/metrics`)).text())
  t.strictSame(
    metrics.filter((name) => !names.includes(name)),
    [],
    'metrics',
  )
})

t.test('members keep their type, replies have them, and requests need no new ones', async (t) => {
  const breaks = ([name, before]: [string, Member]) => {
    const now = members[name]
    if (now?.type !== before.type) return true
    return before.isRequest ? now.isRequired && !before.isRequired : before.isRequired && !now.isRequired
  }
  t.strictSame(Object.entries(releasedMembers).filter(breaks), [])
  const schemas = new Set(Object.keys(releasedMembers).map((name) => name.split('.')[0]))
  const added = Object.entries(members).filter(
    ([name, { isRequest, isRequired }]) =>
      isRequest && isRequired && !(name in releasedMembers) && schemas.has(name.split('.')[0]),
  )
  t.strictSame(added, [])
})
