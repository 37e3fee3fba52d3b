import type { FastifyReply, FastifyRequest, FastifySchema } from 'fastify'
import plugin from 'fastify-plugin'
import { AppError } from '../src/errors.ts'
import { loadPage, type PageFile } from '../src/page-files.ts'

const YEAR = 31_536_000

/** Files are no calls: they stand in no document. */
const hidden: FastifySchema & { hide: true } = { hide: true }

/** The chat page at `/`, read when it is first asked for: a server that nobody looks at starts without it. */
export const web = plugin(
  async (app) => {
    let loading: ReturnType<typeof loadPage> | undefined
    const page = () => {
      loading ??= loadPage()
      return loading
    }

    app.get('/', { schema: hidden }, async (request, reply) => {
      const { index, etag, importMapHash } = await page()
      reply.headers({
        'Cache-Control': 'no-cache',
        ETag: etag,
        'Content-Security-Policy': policy(importMapHash),
        'Cross-Origin-Opener-Policy': 'same-origin',
        'Referrer-Policy': 'no-referrer',
      })
      if (request.headers['if-none-match'] === etag) return reply.code(304).send()
      return sendFile(index, request, reply)
    })

    app.get<{ Params: { version: string; '*': string } }>(
      '/assets/:version/*',
      { schema: hidden },
      async (request, reply) => {
        const { version, files } = await page()
        const file = request.params.version === version ? files.get(request.params['*']) : undefined
        if (!file) throw new AppError('ROUTE_NOT_FOUND', 'The page has no such file now: load it again.')
        reply.header('Cache-Control', `public, max-age=${YEAR}, immutable`)
        return sendFile(file, request, reply)
      },
    )
  },
  { name: 'web', dependencies: ['errors', 'validation'] },
)

const sendFile = ({ type, body, gzipped }: PageFile, request: FastifyRequest, reply: FastifyReply) => {
  const isGzip = /\bgzip\b/.test(String(request.headers['accept-encoding']))
  reply.headers({ 'Content-Type': type, 'X-Content-Type-Options': 'nosniff', Vary: 'Accept-Encoding' })
  if (isGzip) reply.header('Content-Encoding', 'gzip')
  return reply.send(isGzip ? gzipped : body)
}

/** Only the server's own files run, nothing else is loaded, and no text can become markup or script. */
const policy = (importMapHash: string) =>
  [
    "default-src 'none'",
    `script-src 'self' '${importMapHash}'`,
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ')
