import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { FastifyReply, FastifyRequest, FastifySchema } from 'fastify'

/** A file as it is sent, compressed or not. */
export type File = { type: string; body: Buffer; gzipped: Buffer; etag: string }

const compress = promisify(gzip)

/** Pages and their files are no calls: they stand in no document. */
export const hidden: FastifySchema & { hide: true } = { hide: true }

export const prepareFile = async (type: string, body: Buffer): Promise<File> => ({
  type,
  body,
  gzipped: await compress(body, { level: 9 }),
  etag: `W/"${digest(body)}"`,
})

export const digest = (content: Buffer) => createHash('sha256').update(content).digest('base64')

/** @returns a function that loads when it is first called, and keeps it; what failed is tried again. */
export const loadOnce = <T>(load: () => Promise<T>) => {
  let loading: Promise<T> | undefined
  return () => {
    loading ??= load().catch((error) => {
      loading = undefined
      throw error
    })
    return loading
  }
}

/** Sends a file, unless the browser has it; it is to ask again each time, or to keep it as `cache` says. */
export const sendFile = (file: File, request: FastifyRequest, reply: FastifyReply, cache = 'no-cache') => {
  reply.headers({
    ETag: file.etag,
    'Cache-Control': cache,
    'Content-Type': file.type,
    'X-Content-Type-Options': 'nosniff',
    Vary: 'Accept-Encoding',
  })
  if (request.headers['if-none-match'] === file.etag) return reply.code(304).send()
  const isGzip = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')
  if (isGzip) reply.header('Content-Encoding', 'gzip')
  return reply.send(isGzip ? file.gzipped : file.body)
}

/** Sends a page, which loads and asks nothing but the server's own files, and what `more` allows or forbids besides. */
export const sendPage = (
  file: File,
  request: FastifyRequest,
  reply: FastifyReply,
  more: Record<string, string>,
) => {
  const policy = { ...strict, ...more }
  reply.headers({
    'Content-Security-Policy': Object.entries(policy)
      .map((rule) => rule.join(' '))
      .join('; '),
    'Referrer-Policy': 'no-referrer',
  })
  return sendFile(file, request, reply)
}

const strict = {
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': "'self'",
  'img-src': "'self'",
  'connect-src': "'self'",
  'base-uri': "'none'",
  'form-action': "'none'",
  'frame-ancestors': "'none'",
}
