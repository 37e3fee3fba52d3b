import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type App, buildApp } from '../src/app.ts'
import { asyncApi } from '../src/docs/asyncapi.ts'
import { loadConfig } from '../src/config.ts'

/** The generated files by path, each with the function that generates its text. */
export const generated: Record<string, (app: App) => string | Promise<string>> = {
  'docs/openapi.json': (app) => json(app.swagger()),
  'docs/asyncapi.json': () => json(asyncApi()),
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`

/** @returns the text of each generated file by its path */
export const generate = async (): Promise<Map<string, string>> => {
  const folder = await mkdtemp(join(tmpdir(), 'messenger-'))
  try {
    const app = await buildApp(loadConfig({ DATABASE_URL: `sqlite:${join(folder, 'messenger.db')}` }))
    const files = new Map<string, string>()
    for (const [path, make] of Object.entries(generated)) files.set(path, await make(app))
    await app.close()
    return files
  } finally {
    await rm(folder, { recursive: true })
  }
}

/* c8 ignore start -- npm run generate rewrites the tree; a test compares the tree with generate() */
if (import.meta.main) {
  const root = new URL('..', import.meta.url)
  for (const [path, text] of await generate()) await writeFile(new URL(path, root), text)
}
/* c8 ignore stop */
