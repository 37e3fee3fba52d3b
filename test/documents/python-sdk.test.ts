import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { listen } from '../support/listen.ts'
import { startServer, temporaryFolder } from '../support/server.ts'

const run = promisify(execFile)
const file = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const python = process.env.PYTHON ?? file('../../.venv/bin/python')

/** Why the test cannot run, or false. In CI the test runs and fails without the generator. */
const noPython =
  !existsSync(python) &&
  !process.env.CI &&
  `${python} is missing. Run: python3 -m venv .venv && .venv/bin/pip install -r test/python/requirements.txt`

type Page = { events: { type: string; kind?: string; cursor: string }[]; cursor: string }

/** A page of events as a later server version can return it. */
const ofLaterVersion = (text: string) => {
  const page = JSON.parse(text) as Page
  for (const event of page.events) if (event.kind === 'group') event.kind = 'channel'
  const poll = { type: 'poll', cursor: page.cursor, question: 'Lunch?' }
  return JSON.stringify({ ...page, events: [...page.events, poll], a_new_member: {} })
}

/** @returns the address of a proxy that answers as `url` does and adds unknown events */
const startLaterVersion = async (t: Test, url: string): Promise<string> => {
  const server = createServer((request, reply) => {
    const forward = async () => {
      const { authorization, 'content-type': type } = request.headers
      const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>))
      const answer = await fetch(url + request.url, {
        method: request.method as string,
        headers: { ...(authorization && { authorization }), ...(type && { 'content-type': type }) },
        ...(body.length > 0 && { body }),
      })
      const text = await answer.text()
      const headers = Object.fromEntries(
        [...answer.headers].filter(
          ([name]) => !/^(?:content-(?:length|encoding)|transfer-encoding)$/.test(name),
        ),
      )
      reply.writeHead(answer.status, headers)
      reply.end(request.url?.startsWith('/sync?') ? ofLaterVersion(text) : text)
    }
    void forward()
  })
  return listen(t, server)
}

t.test(
  'a generated Python client sends, reads, and accepts unknown event types',
  { skip: noPython },
  async (t) => {
    const { url } = await startServer(t)
    const sdk = join(await temporaryFolder(t), 'sdk')
    const generate = ['generate', '--path', file('../../docs/openapi.json'), '--output-path', sdk]
    await run(python, ['-m', 'openapi_python_client', ...generate])
    const { stdout } = await run(python, [
      file('../python/every_step.py'),
      sdk,
      await startLaterVersion(t, url),
    ])
    t.equal(stdout, 'done\n')
  },
)
