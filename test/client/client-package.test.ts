import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { build } from 'esbuild'
import { gzippedSize, publishedTable, sizeTable } from '../../scripts/client-size.ts'
import { installPackage } from '../support/install.ts'
import { oldNode } from '../support/old-node.ts'
import { startServer, temporaryFolder } from '../support/server.ts'

const run = promisify(execFile)
const { PATH, HOME } = process.env

/** An app that has the package, and `ws` for a Node.js without WebSocket. */
const app = await (async () => {
  const folder = await temporaryFolder(t)
  const { files } = await installPackage('client', folder, ['openapi-fetch', 'openapi-typescript-helpers'])
  return { folder, files, installed: join(folder, 'node_modules/@messenger/client') }
})()

t.test('the package has modules, types and source maps, and nothing of the server', async (t) => {
  const { files, installed } = app
  t.ok(files.includes('README.md') && files.includes('LICENSE'))
  t.notOk(files.find((path) => !/^(?:dist|src)\/|^(?:package\.json|README\.md|LICENSE)$/.test(path)))
  const modules = files.filter((path) => path.endsWith('.js'))
  t.ok(modules.length > 20)
  const imported = new Set<string>()
  for (const path of modules) {
    const text = await readFile(join(installed, path), 'utf8')
    for (const [, name = ''] of text.matchAll(/^(?:import|export|\}).* from '([^']+)'/gm)) {
      const isOwn = name.startsWith('.')
      if (isOwn) t.ok(files.includes(join(dirname(path), name)), `${path}: ${name} names a file`)
      else imported.add(`${path}: ${name}`)
    }
    const { sources } = JSON.parse(await readFile(join(installed, `${path}.map`), 'utf8'))
    t.ok(files.includes(join(dirname(path), sources[0])), `${path} has its source`)
    t.ok(files.includes(path.replace(/js$/, 'd.ts')), `${path} has its types`)
  }
  t.strictSame([...imported], ['dist/file-storage.js: node:fs/promises', 'dist/http.js: openapi-fetch'])
})

t.test('its types compile in an app that checks its libraries too', async (t) => {
  const file = join(app.folder, 'app.mts')
  await writeFile(
    file,
    `import { type Events, Messenger, type MessengerOptions, unwrap } from '@messenger/client'
     import { fileStorage } from '@messenger/client/file'
     const options: MessengerOptions = { url: 'http://localhost', username: 'alice', storage: fileStorage('a') }
     const messenger = new Messenger(options)
     messenger.on('message', ({ content }) => content satisfies string)
     export const state = (event: Events['state']): string => event.state
     export const page = async () => (await unwrap(messenger.api.GET('/conversations'))).conversations[0]?.id satisfies number | undefined
     // @ts-expect-error: there is no such path
     void messenger.api.GET('/none')\n`,
  )
  const compiler = createRequire(new URL('../../client/package.json', import.meta.url)).resolve(
    'typescript/bin/tsc',
  )
  for (const resolution of ['nodenext', 'bundler']) {
    const module = resolution === 'bundler' ? 'esnext' : resolution
    const options = ['--strict', '--noEmit', '--target', 'es2022', '--lib', 'es2023,dom']
    const paths = ['--module', module, '--moduleResolution', resolution, file]
    await t.resolves(run(process.execPath, [compiler, ...options, ...paths], { cwd: app.folder }), resolution)
  }
})

t.test('a browser’s bundle needs nothing of Node.js, and leaves out what an app does not use', async (t) => {
  const file = join(app.folder, 'page.mjs')
  await writeFile(
    file,
    `import { Messenger } from '@messenger/client'\nglobalThis.start = () => new Messenger({})\n`,
  )
  const { metafile } = await build({
    entryPoints: [file],
    bundle: true,
    platform: 'browser',
    write: false,
    metafile: true,
  })
  t.strictSame(
    Object.values(metafile.outputs).flatMap(({ imports }) => imports),
    [],
  )
  await writeFile(file, `import { newClientId } from '@messenger/client'\nconsole.log(newClientId())\n`)
  const { outputFiles } = await build({ entryPoints: [file], bundle: true, minify: true, write: false })
  t.ok((outputFiles[0]?.contents.length as number) < 3000, 'one function without the rest')
})

t.test('its size is the one that its README gives, and at most 12 KB', async (t) => {
  t.equal(await publishedTable(), await sizeTable(), 'npm run generate')
  t.ok((await gzippedSize('index', { external: ['openapi-fetch'] })) <= 12_000)
})

for (const [name, node] of [
  ['Node.js 24', process.execPath],
  ['an older Node.js', oldNode],
] as const) {
  const skip = node ? false : 'This machine has no Node.js from 20 to 23.'
  t.test(`an app on ${name} imports it and talks to a server`, { skip }, async (t) => {
    const { url } = await startServer(t)
    const file = join(app.folder, 'talk.mjs')
    await writeFile(
      file,
      `import { createRequire } from 'node:module'
       import { login, Messenger } from '@messenger/client'
       import { fileStorage } from '@messenger/client/file'
       // What a server that renders a page has: an import must not touch a browser's global.
       if (typeof window !== 'undefined') throw new Error('window')
       const { WebSocket } = createRequire(${JSON.stringify(import.meta.url)})('ws')
       await login('${url}', { username: 'bob' })
       const storage = fileStorage('state-${process.pid}-${node === oldNode}')
       const alice = new Messenger({ url: '${url}', username: 'alice', storage, WebSocket: globalThis.WebSocket ?? WebSocket })
       const arrived = new Promise((resolve) => alice.on('message', resolve))
       await alice.connect()
       const { id } = await alice.send({ receiver_username: 'bob', content: 'hello' })
       console.log(id === (await arrived).id, process.version)
       await alice.close()\n`,
    )
    const { stdout } = await run(node as string, [file], { cwd: app.folder, env: { PATH, HOME } })
    t.match(stdout, /^true v2\d/)
  })
}
