import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { FastifyReply, FastifyRequest, FastifySchema } from 'fastify'
import plugin from 'fastify-plugin'
import { AppError } from '../src/errors.ts'
import { httpPage, socketPage } from '../src/reference-pages.ts'

type File = { type: string; body: Buffer; gzipped: Buffer; etag: string }

const compress = promisify(gzip)

/** Pages and their files are no calls: they stand in no document. */
const hidden: FastifySchema & { hide: true } = { hide: true }

/** Only the files are taken of the package: its plugin reads and hashes 2.5 MB at every start. */
const swaggerUi = new URL('static/', import.meta.resolve('@fastify/swagger-ui'))
const own = new URL('../web/reference/', import.meta.url)

const files: Record<string, { folder: URL; type: string }> = {
  'swagger-ui.css': { folder: swaggerUi, type: 'text/css; charset=utf-8' },
  'swagger-ui-bundle.js': { folder: swaggerUi, type: 'text/javascript; charset=utf-8' },
  'favicon-32x32.png': { folder: swaggerUi, type: 'image/png' },
  'reference.css': { folder: own, type: 'text/css; charset=utf-8' },
  'reference.js': { folder: own, type: 'text/javascript; charset=utf-8' },
}

/** The reference at /docs, with the socket beside it. Each file is read when it is first asked for, and kept. */
export const docs = plugin(
  async (app) => {
    const loaded = new Map<string, Promise<File>>()
    const load = (name: string, make: () => Promise<Buffer>, type: string) => {
      const file = loaded.get(name) ?? make().then((body) => prepare(body, type))
      loaded.set(name, file)
      return file
    }
    const page = (path: string, write: () => string) =>
      app.get(path, { schema: hidden }, async (request, reply) => {
        reply.headers({ 'Content-Security-Policy': policy, 'Referrer-Policy': 'no-referrer' })
        return sendFile(
          await load(path, async () => Buffer.from(write()), 'text/html; charset=utf-8'),
          request,
          reply,
        )
      })

    page('/docs', httpPage)
    page('/docs/socket', socketPage)

    app.get<{ Params: { file: string } }>('/docs/:file', { schema: hidden }, async (request, reply) => {
      const name = request.params.file
      const known = Object.hasOwn(files, name) ? files[name] : undefined
      if (!known) throw new AppError('ROUTE_NOT_FOUND', 'The reference has no such file.')
      return sendFile(
        await load(name, () => readFile(new URL(name, known.folder)), known.type),
        request,
        reply,
      )
    })
  },
  { name: 'docs', dependencies: ['errors', 'validation'] },
)

const prepare = async (body: Buffer, type: string): Promise<File> => ({
  type,
  body,
  gzipped: await compress(body),
  etag: `W/"${createHash('sha256').update(body).digest('base64url')}"`,
})

const sendFile = (file: File, request: FastifyRequest, reply: FastifyReply) => {
  reply.headers({
    ETag: file.etag,
    'Cache-Control': 'no-cache',
    'Content-Type': file.type,
    'X-Content-Type-Options': 'nosniff',
    Vary: 'Accept-Encoding',
  })
  if (request.headers['if-none-match'] === file.etag) return reply.code(304).send()
  const isGzip = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')
  if (isGzip) reply.header('Content-Encoding', 'gzip')
  return reply.send(isGzip ? file.gzipped : file.body)
}

/** Nothing but the server's own files is loaded or asked; Swagger UI's icons are data. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')
