/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import { join } from 'node:path'

/** The server with a writer that takes one operation at a time, so that each has its own commit and fsync. */
const root = process.env.PRODUCT_ROOT as string
const { buildApp } = (await import(join(root, 'src/app.ts'))) as typeof import('../../src/app.ts')
const { loadConfig } = (await import(join(root, 'src/config.ts'))) as typeof import('../../src/config.ts')

const config = loadConfig(process.env)
const app = await buildApp(config)
const { writer } = app.database
const append = writer.append.bind(writer) as (...operation: unknown[]) => Promise<unknown>
let last: Promise<unknown> = Promise.resolve()
writer.append = (...operation: unknown[]) => {
  const result = last.then(() => append(...operation))
  last = result.catch(() => {})
  return result as never
}
console.log(`listening on ${await app.listen({ host: config.HOST, port: config.PORT })}`)
