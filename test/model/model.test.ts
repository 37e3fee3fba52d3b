import * as fc from 'fast-check'
import t from 'tap'
import { receiptsPublished } from '../support/stream.ts'
import { onPostgres } from '../support/test-database.ts'
import { sendResults } from './actions.ts'
import { command } from './commands.ts'
import { Host } from './host.ts'
import { World } from './world.ts'

/** Worlds that share a server, and servers in sequence. On PostgreSQL a round takes three times as long. */
const WORLDS = Number(process.env.MODEL_WORLDS ?? 30)
const ROUNDS = Number(process.env.MODEL_ROUNDS ?? (onPostgres ? 4 : 10))
const SEED = process.env.MODEL_SEED === undefined ? {} : { seed: Number(process.env.MODEL_SEED) }

const world = fc.tuple(
  fc.array(command, { maxLength: 40, size: 'max' }),
  fc.array(command, { maxLength: 15, size: 'max' }),
)

type Commands = typeof world extends fc.Arbitrary<infer T> ? T : never

t.setTimeout(600_000)

t.test('after random commands every device has each event of its user exactly once, in order', async (t) => {
  const host = new Host()
  await host.start()
  t.teardown(() => host.stop())
  let count = 0

  const round = async (worlds: Commands[], isCrash: boolean, isLate: boolean) => {
    const all = worlds.map((commands) => {
      count += 1
      return { commands, world: new World(host, String(count)) }
    })
    const each = (body: (entry: (typeof all)[0]) => Promise<void>) =>
      Promise.all(
        all.map((entry) =>
          body(entry).catch((error) => {
            t.comment(`failed world: ${JSON.stringify(entry.commands)}`)
            throw error
          }),
        ),
      )
    await each(async ({ world, commands }) => {
      await world.begin()
      await world.run(commands[0])
    })
    for (const { world } of all) world.drop()
    await (isCrash ? host.crash() : host.restart())
    await each(async ({ world, commands }) => {
      await world.connect()
      await world.run(commands[1])
    })
    await host.flush()
    await each(({ world }) => world.check({ withMarks: false }))
    if (isLate) {
      for (const { world } of all) world.drop()
      await host.crash()
    } else await receiptsPublished(host.app)
    await host.flush()
    await each(({ world }) => world.check({ withMarks: true }))
    for (const { world } of all) world.drop()
  }

  const property = fc.asyncProperty(
    fc.array(world, { minLength: WORLDS, maxLength: WORLDS }),
    fc.boolean(),
    fc.boolean(),
    round,
  )
  const result = await fc.check(property, { numRuns: ROUNDS, ...SEED, endOnFailure: true })
  t.comment(`${count} runs, seed ${result.seed}; sends: ${JSON.stringify(Object.fromEntries(sendResults))}`)
  if (result.failed) throw result.errorInstance
  t.pass(`${count} runs`)
})
