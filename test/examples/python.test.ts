import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { inRepository, spawnExample } from '../support/example.ts'
import { createApp } from '../support/server-key.ts'
import { startServer, temporaryFolder } from '../support/server.ts'

const python = process.env.PYTHON ?? inRepository('.venv/bin/python')

/** Why the test cannot run, or false. In CI the test runs and fails without the generator. */
const noPython =
  !existsSync(python) &&
  !process.env.CI &&
  `${python} is missing. Run: python3 -m venv .venv && .venv/bin/pip install -r test/python/requirements.txt`

t.test('send.py sends once on behalf of a user, with a generated client', { skip: noPython }, async (t) => {
  const server = await startServer(t)
  const { key, call } = await createApp(server)
  const sdk = join(await temporaryFolder(t), 'sdk')
  const generate = ['generate', '--path', inRepository('docs/openapi.json'), '--output-path', sdk]
  await promisify(execFile)(python, ['-m', 'openapi_python_client', ...generate])
  const env = { MESSENGER_URL: server.url, MESSENGER_KEY: key, PYTHONPATH: sdk }
  for (const run of ['first', 'second']) {
    const example = spawnExample(t, server.folder, env, [python, inRepository('examples/python/send.py')])
    t.equal(await example.exited, 0, example.output())
    t.match(example.output(), /^shop sent message \d+$/m, run)
  }
  const history = await call('GET', '/history/shop', undefined, { 'on-behalf-of': 'ann' })
  t.strictSame(
    (history.body as unknown as { content: string }[]).map(({ content }) => content),
    ['Your order has left.'],
  )
})
