import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import t, { type Test } from 'tap'
import { freePort } from '../support/process.ts'
import { createWebhookApp, RECEIVABLE } from '../support/receiver.ts'
import { startServer } from '../support/server.ts'

/** Starts the receiver of docs/WEBHOOKS.md in a folder. @returns a function that kills it */
const startExample = async (t: Test, folder: string, port: number, secret: string) => {
  const guide = await readFile(new URL('../../docs/WEBHOOKS.md', import.meta.url), 'utf8')
  const [, code = ''] = /```js\n(.*?)```/s.exec(guide) ?? []
  const file = join(folder, 'receiver.mjs')
  await writeFile(file, code.replace("'standardwebhooks'", `'${import.meta.resolve('standardwebhooks')}'`))
  const child = spawn(process.execPath, [file], {
    cwd: folder,
    env: { ...process.env, PORT: String(port), WEBHOOK_SECRET: secret },
    stdio: 'ignore',
  })
  t.teardown(() => child.kill('SIGKILL'))
  return async () => {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
}

t.test('the receiver of the guide has each effect once, after kills and after a restore', async (t) => {
  const server = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(server)
  const folder = t.testdir()
  const port = await freePort()
  const ann = await server.login('ann')
  const { secret } = await app.put('a', { url: `http://127.0.0.1:${port}/`, cursor: '0' })
  const sent: string[] = []
  const send = async (count: number) => {
    for (let n = 0; n < count; n += 1) {
      const content = `message ${sent.length}`
      sent.push(content)
      await ann.send('ann', content)
    }
  }
  /** Makes the next attempt at once. */
  const nudge = () => app.put('a', { url: `http://127.0.0.1:${port}/` })
  const untilDelivered = async () => {
    for (;;) {
      const { lag } = await app.state('a')
      if (lag === 0) return
      await nudge()
      await sleep(100)
    }
  }
  const log = () => {
    const db = new Sqlite(join(folder, 'app.db'), { readonly: true })
    const found = db.prepare('select content from log order by rowid').pluck().all()
    db.close()
    return found
  }

  let kill = await startExample(t, folder, port, secret as string)
  await send(20)
  await untilDelivered()
  await kill()
  await cp(join(folder, 'app.db'), join(folder, 'backup.db'))
  for (let round = 0; round < 3; round += 1) {
    kill = await startExample(t, folder, port, secret as string)
    await send(20)
    await kill()
  }
  kill = await startExample(t, folder, port, secret as string)
  await untilDelivered()
  t.strictSame(log(), sent)
  await kill()
  await cp(join(folder, 'backup.db'), join(folder, 'app.db'))
  kill = await startExample(t, folder, port, secret as string)
  await send(1)
  await untilDelivered()
  t.strictSame(log(), sent)
  await kill()
})
