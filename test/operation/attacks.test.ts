import { readFile } from 'node:fs/promises'
import t from 'tap'
import { attacks } from '../faults/attacks/index.ts'
import type { Attack } from '../faults/attacks/attack.ts'
import { attackTable, underAttack } from '../faults/under-attack.ts'
import { temporaryFolder } from '../support/server.ts'

// Each test runs a server, its load and its probes in processes of their own.
t.setTimeout(300_000)

const newGroups = attacks.find(({ name }) => name === 'new-groups') as Attack

t.test('an attack is measured beside an equal time without it, and other clients lose nothing', async (t) => {
  const plan = { folder: await temporaryFolder(t), attack: newGroups, percent: 1, isLenient: true }
  const figures = await underAttack(t, plan)
  const { before, during, replies, end, violations } = figures
  t.strictSame(violations, [])
  t.ok(replies['200'], 'groups were created')
  const refusals = ['429 RATE_LIMITED', '503 OVERLOADED']
  t.strictSame(
    Object.keys(replies).filter((reply) => reply !== '200' && !refusals.includes(reply)),
    [],
    'every other request is refused with a retry hint',
  )
  t.match(end, { crashed: false, code: 0 })
  for (const { live, bystander } of [before, during]) {
    t.ok(live.count > 0 && bystander.sent > 0)
    t.equal(bystander.received, bystander.sent)
  }
  t.match(attackTable([figures]), /\n\| `new-groups` \| \d+ → \d+ \|/)
})

t.test('an attack that exceeds its memory limit is a violation', async (t) => {
  const attack = { ...newGroups, mebibytes: -1 }
  const folder = await temporaryFolder(t)
  const { violations } = await underAttack(t, { folder, attack, percent: 1, isLenient: true })
  t.match(violations, [/^new-groups: the memory grew by \d+ MiB$/])
})

t.test('each attack has a unique name and a row in RELIABILITY.md', async (t) => {
  const document = await readFile(new URL('../../docs/RELIABILITY.md', import.meta.url), 'utf8')
  t.equal(new Set(attacks.map(({ name }) => name)).size, attacks.length)
  for (const { name } of attacks) t.match(document, `\n| \`${name}\` |`, name)
})
