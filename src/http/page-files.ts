import { readFile } from 'node:fs/promises'
import { digest, type File, loadOnce, prepareFile } from './static-files.ts'

const folder = new URL('../../web/', import.meta.url)

const javascript = 'text/javascript; charset=utf-8'
const css = 'text/css; charset=utf-8'

/** The files of the page by their name in the URL, with their path in `web/` and their media type. */
const sources: Record<string, { path: string; type: string }> = {
  'icon.svg': { path: 'icon.svg', type: 'image/svg+xml' },
  'style.css': { path: 'style.css', type: css },
  'thread.css': { path: 'thread.css', type: css },
  'main.js': { path: 'dist/main.js', type: javascript },
  'main.js.map': { path: 'dist/main.js.map', type: 'application/json' },
}

/**
 * Reads the chat page and its files.
 * @param avatarOrigins the other sites that the page loads pictures from
 * @returns the page, functions that compress its files by name, and a version that is a hash of the files. The version
 *   is part of each file's URL, so that a browser can cache the files without revalidation and never mixes two versions.
 */
export const loadPage = async (avatarOrigins: readonly string[]) => {
  const files = new Map<string, () => Promise<File>>()
  const bodies: Buffer[] = []
  for (const [name, { path, type }] of Object.entries(sources)) {
    const body = await read(path)
    bodies.push(body)
    // Compressing the source map takes 100 ms, so each file is compressed on its first request.
    files.set(
      name,
      loadOnce(() => prepareFile(type, body)),
    )
  }
  const version = digest(Buffer.concat(bodies)).replace(/\W/g, '').slice(0, 12)
  const html = (await read('index.html'))
    .toString()
    .replaceAll('VERSION', version)
    .replace('AVATAR_ORIGINS', avatarOrigins.join(' '))
  return { version, files, index: await prepareFile('text/html; charset=utf-8', Buffer.from(html)) }
}

const read = (path: string) => readFile(new URL(path, folder))
