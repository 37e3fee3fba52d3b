import { readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { runOutsideTap } from '../support/environment.ts'
import { startServer, temporaryFolder } from '../support/server.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The output of each TypeScript sample, in document order. */
const expected = {
  'README.md': [/^online/m],
  'client/README.md': [/^online/m, /^1 conversations$/m],
}

t.test('the README samples run unchanged against a new server', async (t) => {
  const folder = await temporaryFolder(t)
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'), 'dir')
  for (const [path, outputs] of Object.entries(expected)) {
    const { url } = await startServer(t)
    const text = await readFile(join(root, path), 'utf8')
    const samples = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code as string)
    t.equal(samples.length, outputs.length, path)
    for (const [index, sample] of samples.entries()) {
      const file = join(folder, `${path.replace('/', '-')}-${index}.mts`)
      await writeFile(file, sample.replaceAll('http://localhost:3000', url))
      const { stdout } = await runOutsideTap([file])
      t.match(stdout, outputs[index], `${path}, sample ${index + 1}`)
      if (index === 0) {
        t.match(stdout, /^alice: Hello!$/m)
        t.match(stdout, /^stored as \d+$/m)
      }
    }
  }
})
