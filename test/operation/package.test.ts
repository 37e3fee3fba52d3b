import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readdir, readFile } from 'node:fs/promises'
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { buildPackage, external } from '../../scripts/build-package.ts'
import { copyDependencies } from '../../scripts/copy-dependencies.ts'
import { installPackage } from '../support/install.ts'
import { oldNode } from '../support/old-node.ts'
import { freePort } from '../support/process.ts'
import { call, login, temporaryFolder } from '../support/server.ts'
import { databaseEnvironment, only } from '../support/test-database.ts'

const run = promisify(execFile)
const { PATH, HOME } = process.env
const repository = JSON.parse(await readFile('package.json', 'utf8'))

/** The package, built and installed once in a folder that has nothing else. */
const installed = await (async () => {
  const [built, folder] = [await temporaryFolder(t), await temporaryFolder(t)]
  await buildPackage(built)
  const manifest = JSON.parse(await readFile(join(built, 'package.json'), 'utf8'))
  const { files } = await installPackage(built, folder, [
    ...Object.keys(manifest.dependencies),
    ...Object.keys(manifest.optionalDependencies),
  ])
  return { built, files, manifest, entry: join(folder, 'node_modules/.bin/messenger') }
})()

/** Variables of a command in `folder`, without those of tap: coverage does not include the bundle. */
const environment = (folder: string) => ({ PATH, HOME, ...databaseEnvironment(folder) })

/** Runs a command of the package to its end. */
const messenger = (folder: string, args: string[], node = process.execPath) =>
  run(node, [installed.entry, ...args], { cwd: folder, env: environment(folder) })

/** Starts the server of the package and waits until it listens. */
const serve = async (t: Test, folder: string, node = process.execPath, entry = installed.entry) => {
  const port = await freePort()
  const child = spawn(node, [entry], {
    cwd: folder,
    env: { ...environment(folder), HOST: '127.0.0.1', PORT: String(port) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk) => {
      output += chunk
      if (output.includes('listening on')) resolve()
    })
  })
  return { url: `http://127.0.0.1:${port}`, child, output: () => output }
}

const ended = async (child: ChildProcess) => {
  const [code, signal] = await once(child, 'exit')
  return { code, signal }
}

t.test('the package has bundles, the files that they read, and no source', async (t) => {
  const { files, built, manifest } = installed
  t.strictSame(
    files.filter((path) => /\.[cm]?[jt]s$/.test(path) && !path.includes('/')),
    ['chat.js', 'messenger.js', 'operator.js', 'server.js', 'worker-loop.js', 'worker.js'],
  )
  t.notOk(files.some((path) => /\.ts$|node_modules|^test/.test(path)))
  for (const path of ['README.md', 'LICENSE', 'CHANGELOG.md', '.env.example', 'docs/openapi.json'])
    t.ok(files.includes(path), path)
  t.equal(manifest.version, repository.version)
  for (const [name, version] of Object.entries(manifest.dependencies))
    t.equal(version, repository.dependencies[name], `${name} is pinned as in the repository`)

  // `ws` tries the last two, and works without them.
  const provided = [...builtinModules, ...Object.keys(manifest.dependencies), 'bufferutil', 'utf-8-validate']
  for (const path of files.filter((path) => /^[\w-]+\.js$/.test(path))) {
    const text = await readFile(join(built, path), 'utf8')
    const imports = /(?:^import .* from |(?:await|=>) import\(|__require\d*\()["']([^"']+)/gm
    for (const name of [...text.matchAll(imports)].map(([, name]) => name as string))
      t.ok(files.includes(name.slice(2)) || provided.includes(name.replace('node:', '')), `${path}: ${name}`)
  }
  const licenses = await readFile(join(built, 'LICENSES-OF-BUNDLED-PACKAGES.txt'), 'utf8')
  t.match(licenses, /^fastify \d[^]*Permission is hereby granted/m)
})

for (const [name, node] of [
  ['Node.js 24', process.execPath],
  ['an older Node.js, with the Node.js that it brings', oldNode],
] as const) {
  const skip = node ? false : 'This machine has no Node.js from 20 to 23.'
  t.test(`the installed package serves and runs every command on ${name}`, { skip }, async (t) => {
    const folder = await temporaryFolder(t)
    const { url, child } = await serve(t, folder, node)
    t.match(await call(url, 'GET', '/health/ready'), { status: 200 })
    const openapi = await (await fetch(`${url}/openapi.json`)).json()
    t.strictSame(openapi, JSON.parse(await readFile('docs/openapi.json', 'utf8')))
    const html = await (await fetch(url)).text()
    const script = /src="(\/assets\/[^"]+)"/.exec(html)?.[1]
    for (const path of [
      script as string,
      '/docs',
      '/docs/socket',
      '/docs/swagger-ui-bundle.js',
      '/docs/reference.js',
    ])
      t.equal((await fetch(`${url}${path}`)).status, 200, path)

    const created = await messenger(folder, ['admin', 'create-user', 'bob', '--no-password'], node)
    t.match(created.stdout, 'The account bob is created.')
    const chat = messenger(folder, ['chat', 'alice', '--server', url, '--to', 'bob'], node)
    chat.child.stdin?.end('from the terminal\n')
    await chat
    const bob = await login(t, url, 'bob')
    t.match(await bob.history('alice'), [{ content: 'from the terminal' }])
    await t.rejects(messenger(folder, ['move', 'mysql://nowhere'], node), {
      code: 1,
      stderr: /PostgreSQL database/,
    })

    child.kill('SIGTERM')
    t.strictSame(await ended(child), { code: 0, signal: null })
    t.match((await messenger(folder, ['admin', 'state', '--json'], node)).stdout, /"messages":1/)
  })
}

t.test(
  'a backup and a restore by the package keep what was stored',
  { skip: only('sqlite', 'PostgreSQL has backups of its own.') },
  async (t) => {
    const folder = await temporaryFolder(t)
    await messenger(folder, ['admin', 'create-user', 'bob', '--no-password'])
    t.match((await messenger(folder, ['backup', 'copy.db'])).stdout, 'The backup is in copy.db.')
    t.match((await messenger(folder, ['restore', 'copy.db'])).stdout, 'is restored from copy.db')
    t.match((await messenger(folder, ['admin', 'users'])).stdout, 'bob')
  },
)

t.test('the package serves without npm, with the dependencies that the image copies', async (t) => {
  const [folder, built] = [await temporaryFolder(t), await temporaryFolder(t)]
  await cp(installed.built, built, { recursive: true })
  await copyDependencies('.', built, external)
  t.notOk((await readdir(join(built, 'node_modules/better-sqlite3'))).includes('deps'))
  const entry = join(built, 'messenger.js')
  const { url, child } = await serve(t, folder, process.execPath, entry)
  t.match(await call(url, 'GET', '/health/ready'), { status: 200 })
  child.kill('SIGTERM')
  t.strictSame(await ended(child), { code: 0, signal: null })
})

t.test('the command explains itself, and refuses what it does not know', async (t) => {
  const folder = await temporaryFolder(t)
  t.match((await messenger(folder, ['--help'])).stdout, /start[^]*admin[^]*backup[^]*restore[^]*move[^]*chat/)
  t.equal((await messenger(folder, ['--version'])).stdout, `${repository.version}\n`)
  await t.rejects(messenger(folder, ['serve']), { code: 1, stderr: /There is no command "serve"/ })
  t.match((await messenger(folder, ['admin', '--help'])).stdout, 'Usage: npx messenger admin')
})

t.test('sources that were installed instead of the package say what to install', async (t) => {
  const folder = await temporaryFolder(t)
  const sources = join(folder, 'node_modules/messenger')
  await cp('bin', join(sources, 'bin'), { recursive: true })
  await cp('package.json', join(sources, 'package.json'))
  const options = { cwd: folder, env: environment(folder) }
  await t.rejects(run(process.execPath, [join(sources, repository.bin.messenger)], options), {
    code: 1,
    stderr: /Run `npm run pack`/,
  })
})

t.test('a server that an older Node.js started ends with it', { skip: !oldNode }, async (t) => {
  const folder = await temporaryFolder(t)
  const { child, output, url } = await serve(t, folder, oldNode)
  const { pid } = JSON.parse(output().split('\n')[0] as string)
  t.not(pid, child.pid, 'the server is another process')
  const closed = once(child, 'close')
  child.kill('SIGKILL')
  // The server shares the standard output, which closes when both have ended.
  await closed
  await t.rejects(fetch(`${url}/health/live`), 'nothing listens')
})

t.test(
  'an older Node.js without the one of the package is refused with a sentence',
  { skip: !oldNode },
  async (t) => {
    const folder = await temporaryFolder(t)
    const alone = join(installed.built, 'messenger.js')
    const options = { cwd: folder, env: environment(folder) }
    await t.rejects(run(oldNode as string, [alone], options), {
      code: 1,
      stderr: /needs Node\.js 24\.7 or newer, but this is v2[0-3]\..*--omit=optional/,
    })
  },
)
