import { execFile } from 'node:child_process'
import { copyFile, writeFile } from 'node:fs/promises'
import { createRequire, registerHooks } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { startServer, temporaryFolder } from '../support/server.ts'

const clientRequire = createRequire(new URL('../../client/package.json', import.meta.url))
const compiler = clientRequire.resolve('typescript/bin/tsc')

/** The generator writes code with the compiler's interface, which TypeScript 7 does not have: it is given the client's 5. */
const loadGenerator = async () => {
  const typescript = pathToFileURL(clientRequire.resolve('typescript')).href
  const hooks = registerHooks({
    resolve: (specifier, context, next) => next(specifier === 'typescript' ? typescript : specifier, context),
  })
  try {
    return await import('@hey-api/openapi-ts')
  } finally {
    hooks.deregister()
  }
}

t.test(
  'an SDK that another generator made from the document compiles strictly and can do everything',
  async (t) => {
    const { url } = await startServer(t)
    const folder = await temporaryFolder(t)
    const document = (await (await fetch(`${url}/openapi.json`)).json()) as {
      paths: Record<string, Record<string, { operationId: string }>>
    }
    const { createClient } = await loadGenerator()
    await createClient({
      input: document as never,
      output: join(folder, 'sdk'),
      logs: { level: 'silent', file: false },
    })
    await copyFile(
      new URL('../fixtures/every-operation.ts', import.meta.url),
      join(folder, 'every-operation.ts'),
    )
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
    const compilerOptions = {
      strict: true,
      skipLibCheck: true,
      module: 'nodenext',
      target: 'esnext',
      lib: ['esnext', 'dom', 'dom.iterable'],
      types: [],
    }
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
    const said = await promisify(execFile)(process.execPath, [compiler, '--project', folder]).then(
      ({ stdout }) => stdout,
      ({ message, stdout }) => `${message}${stdout}`,
    )
    t.equal(said, '', 'the compiler has nothing to say')

    const { everyOperation } = await import(pathToFileURL(join(folder, 'every-operation.js')).href)
    const operations = Object.values(document.paths).flatMap((path) => Object.values(path))
    t.strictSame(
      (await everyOperation(url)).toSorted(),
      operations.map(({ operationId }) => operationId).toSorted(),
      'every operation was called',
    )
  },
)
