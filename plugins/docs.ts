import { readFile } from 'node:fs/promises'
import plugin from 'fastify-plugin'
import { AppError } from '../src/errors.ts'
import { hidden, loadOnce, prepareFile, sendFile, sendPage } from '../src/http/static-files.ts'
import { httpPage, socketPage } from '../src/docs/reference-pages.ts'

/**
 * Only the files of the package are used, because its plugin reads and hashes 2.5 MB at each start. swagger-ui-dist has
 * the same files, but depends on a package that reports installs to a third party.
 */
const swaggerUi = new URL('static/', import.meta.resolve('@fastify/swagger-ui'))
const own = new URL('../web/reference/', import.meta.url)

const files: [name: string, folder: URL, type: string][] = [
  ['swagger-ui.css', swaggerUi, 'text/css; charset=utf-8'],
  ['swagger-ui-bundle.js', swaggerUi, 'text/javascript; charset=utf-8'],
  ['favicon-32x32.png', swaggerUi, 'image/png'],
  ['reference.css', own, 'text/css; charset=utf-8'],
  ['reference.js', own, 'text/javascript; charset=utf-8'],
]

/** Serves the API reference at /docs and /docs/socket. Each file is read on its first request and cached. */
export const docs = plugin(
  async (app) => {
    const load = new Map(
      files.map(([name, folder, type]) => [
        name,
        loadOnce(async () => prepareFile(type, await readFile(new URL(name, folder)))),
      ]),
    )
    const page = (path: string, write: () => string) => {
      const load = loadOnce(async () => prepareFile('text/html; charset=utf-8', Buffer.from(write())))
      app.get(path, { schema: hidden }, async (request, reply) =>
        // Swagger UI has its icons as data URLs.
        sendPage(await load(), request, reply, { 'img-src': "'self' data:" }),
      )
    }

    page('/docs', httpPage)
    page('/docs/socket', socketPage)

    app.get<{ Params: { file: string } }>('/docs/:file', { schema: hidden }, async (request, reply) => {
      const file = await load.get(request.params.file)?.()
      if (!file) throw new AppError('ROUTE_NOT_FOUND', 'The API reference has no such file.')
      return sendFile(file, request, reply)
    })
  },
  { name: 'docs', dependencies: ['problems', 'bodies'] },
)
