import { readFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { digest, type File, prepareFile } from './static-files.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

const types: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
}

/** Where the files of an address that begins so are. */
const folders = { web: 'web', js: 'web/dist', client: 'client/dist' }

/** What a module imports by name, and the address that a browser finds it at. */
const packages: Record<string, string> = {
  '@messenger/client': 'client/index.js',
  'openapi-fetch': 'openapi-fetch.js',
}

/**
 * Reads the chat page with all that it loads. The files' addresses begin with a name for their contents, so that they
 * may be kept for ever, and a page never runs with the files of another version.
 */
export const loadPage = async () => {
  const template = (await read('web/index.html')).toString()
  const found = new Map<string, Buffer>()
  for (const [, address = ''] of template.matchAll(/\/assets\/VERSION\/([\w./-]+)/g))
    await collect(address, found)
  const version = digest(Buffer.concat([...found.values()]))
    .replace(/\W/g, '')
    .slice(0, 12)
  const at = (address: string) => `/assets/${version}/${address}`

  const importMap = JSON.stringify({
    imports: Object.fromEntries(Object.entries(packages).map(([name, address]) => [name, at(address)])),
  })
  // Each module names the next: told of all at once, a browser need not find them one after the other.
  const modules = [...found.keys()].filter((address) => extension(address) === 'js')
  const head = [
    `<script type="importmap">${importMap}</script>`,
    ...modules.map((address) => `<link rel="modulepreload" href="${at(address)}">`),
  ]
  const html = template.replaceAll('VERSION', version).replace('<!-- modules -->', head.join('\n    '))

  const files = new Map<string, File>()
  for (const [address, body] of found) files.set(address, await pageFile(address, body))
  const index = await pageFile('index.html', Buffer.from(html))
  return {
    version,
    files,
    index,
    importMapHash: `sha256-${digest(Buffer.from(importMap))}`,
  }
}

/** Reads a file, and those that it imports, and those that they import. */
const collect = async (address: string, found: Map<string, Buffer>): Promise<void> => {
  if (found.has(address)) return
  const body = await read(address)
  found.set(address, body)
  if (extension(address) !== 'js') return
  for (const [, name = ''] of body.toString().matchAll(/^(?:import|export) .*?from ['"](.+?)['"];?$/gm)) {
    await collect(packages[name] ?? posix.join(posix.dirname(address), name), found)
  }
}

const read = (address: string) => {
  if (address === packages['openapi-fetch'])
    return readFile(fileURLToPath(import.meta.resolve('openapi-fetch')))
  const [first = '', ...rest] = address.split('/')
  return readFile(join(root, folders[first as keyof typeof folders], ...rest))
}

const pageFile = (address: string, body: Buffer) => prepareFile(types[extension(address)] as string, body)

const extension = (address: string) => address.slice(address.lastIndexOf('.') + 1)
