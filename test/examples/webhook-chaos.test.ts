import { randomInt } from 'node:crypto'
import t from 'tap'
import { webhooksUnderFaults } from '../faults/webhooks.ts'
import { temporaryFolder } from '../support/server.ts'
import { seededRandom } from '../support/unreliable-proxy.ts'

// Kills and restarts real processes, which takes minutes on a busy machine.
t.setTimeout(600_000)

t.test(
  'an app has each message exactly once after kills, cuts, and a restore from an old backup',
  async (t) => {
    const seed = Number(process.env.SEED ?? randomInt(2 ** 31))
    t.comment(`SEED=${seed}`)
    const plan = { folder: await temporaryFolder(t), blows: 9, random: seededRandom(seed), deadline: 300 }
    const { violations, ...figures } = await webhooksUnderFaults(t, plan)
    t.strictSame(violations, [])
    t.equal(figures.restores, 1)
    t.comment(figures)
  },
)
