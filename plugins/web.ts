import plugin from 'fastify-plugin'
import { listOf } from '../src/config.ts'
import { AppError } from '../src/errors.ts'
import { hidden, loadOnce, sendFile, sendPage } from '../src/http/static-files.ts'
import { loadPage } from '../src/http/page-files.ts'

const YEAR = 31_536_000

/** Serves the chat page at `/`. The files are read on the first request, so that they do not slow down the start. */
export const web = plugin(
  async (app) => {
    const avatarOrigins = listOf(app.config.AVATAR_ORIGINS)
    const page = loadOnce(() => loadPage(avatarOrigins))

    app.get('/', { schema: hidden }, async (request, reply) => {
      const { index } = await page()
      reply.header('Cross-Origin-Opener-Policy', 'same-origin')
      return sendPage(index, request, reply, {
        'img-src': ["'self'", ...avatarOrigins].join(' '),
        // The browser throws when a script assigns a string to innerHTML or to another sink for markup or code.
        'require-trusted-types-for': "'script'",
        'trusted-types': "'none'",
      })
    })

    app.get<{ Params: { version: string; name: string } }>(
      '/assets/:version/:name',
      { schema: hidden },
      async (request, reply) => {
        const { version, files } = await page()
        const file = request.params.version === version ? files.get(request.params.name) : undefined
        if (!file) {
          throw new AppError('ROUTE_NOT_FOUND', 'This file is not part of the current page. Reload the page.')
        }
        return sendFile(await file(), request, reply, `public, max-age=${YEAR}, immutable`)
      },
    )
  },
  { name: 'web', dependencies: ['problems', 'bodies'] },
)
