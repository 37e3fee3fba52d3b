import plugin from 'fastify-plugin'
import { AppError } from '../src/errors.ts'
import { hidden, loadOnce, sendFile, sendPage } from '../src/http/static-files.ts'
import { loadPage } from '../src/http/page-files.ts'

const YEAR = 31_536_000

/** The chat page at `/`, read when it is first asked for: a server that nobody looks at starts without it. */
export const web = plugin(
  async (app) => {
    const page = loadOnce(loadPage)

    app.get('/', { schema: hidden }, async (request, reply) => {
      const { index, importMapHash } = await page()
      reply.header('Cross-Origin-Opener-Policy', 'same-origin')
      return sendPage(index, request, reply, {
        'script-src': `'self' '${importMapHash}'`,
        // No text can become markup or script.
        'require-trusted-types-for': "'script'",
        'trusted-types': "'none'",
      })
    })

    app.get<{ Params: { version: string; '*': string } }>(
      '/assets/:version/*',
      { schema: hidden },
      async (request, reply) => {
        const { version, files } = await page()
        const file = request.params.version === version ? files.get(request.params['*']) : undefined
        if (!file) throw new AppError('ROUTE_NOT_FOUND', 'The page has no such file now: load it again.')
        return sendFile(file, request, reply, `public, max-age=${YEAR}, immutable`)
      },
    )
  },
  { name: 'web', dependencies: ['problems', 'validation'] },
)
