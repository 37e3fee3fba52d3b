import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { killUnderLoad } from './kill.ts'

/** `npm run test:faults`: the long ones. Prints what was done and how often a promise was broken, and fails if one was. */
const { values } = parseArgs({
  options: {
    sends: { type: 'string', default: '1000000' },
    kills: { type: 'string', default: '50' },
  },
})

const ends: (() => void)[] = []
const owner = { teardown: (end: () => void) => ends.push(end) }
const folder = await mkdtemp(join(tmpdir(), 'messenger-faults-'))
try {
  const figures = await killUnderLoad(owner, {
    folder,
    sends: Number(values.sends),
    kills: Number(values.kills),
    senders: 16,
    window: 64,
  })
  console.log(figures)
  process.exitCode = figures.violations.length > 0 ? 1 : 0
} finally {
  for (const end of ends) end()
  await rm(folder, { recursive: true, force: true })
}
