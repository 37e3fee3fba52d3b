import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { FastifyHelmetOptions } from '@fastify/helmet'
import type { FastifyReply, FastifyRequest, FastifySchema } from 'fastify'

/** A file in memory, with its compressed form and its weak ETag. `type` is the value of Content-Type. */
export type File = { type: string; body: Buffer; gzipped: Buffer; etag: string }

const compress = promisify(gzip)

/** The schema of a route that serves a page or a file. It appears in no document. */
export const hidden: FastifySchema & { hide: true } = { hide: true }

export const prepareFile = async (type: string, body: Buffer): Promise<File> => ({
  type,
  body,
  gzipped: await compress(body, { level: 9 }),
  etag: `W/"${digest(body)}"`,
})

/** @returns the SHA-256 hash of `content` in base64 */
export const digest = (content: Buffer) => createHash('sha256').update(content).digest('base64')

/** @returns a function that calls `load` once and caches its result; after a failure the next call loads again */
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

/**
 * Sends a file, or 304 if the browser has this version of it (RFC 9110, section 13).
 * @param cache the value of Cache-Control; by default the browser revalidates the file before each use
 */
export const sendFile = (file: File, request: FastifyRequest, reply: FastifyReply, cache = 'no-cache') => {
  reply.headers({
    ETag: file.etag,
    'Cache-Control': cache,
    'Content-Type': file.type,
    Vary: 'Accept-Encoding',
  })
  const { 'if-none-match': known = '', 'accept-encoding': accepted = '' } = request.headers
  if (includesTag(known, file.etag)) return reply.code(304).send()
  const isGzip = acceptsGzip(accepted)
  if (isGzip) reply.header('Content-Encoding', 'gzip')
  return reply.send(isGzip ? file.gzipped : file.body)
}

/** Compares the tags of If-None-Match weakly (RFC 9110, section 13.1.2): `"x"` and `W/"x"` are equal. `*` is every tag. */
const includesTag = (header: string, etag: string): boolean =>
  header.trim() === '*' || [...header.matchAll(/"[^"]*"/g)].some(([tag]) => `W/${tag}` === etag)

/**
 * @returns whether Accept-Encoding (RFC 9110, section 12.5.3) allows gzip: a weight of 0 forbids it, and `*` stands for it
 *   only if it is not listed, which @fastify/accept-negotiator does not distinguish
 */
const acceptsGzip = (header: string): boolean => {
  const weights = new Map(
    header
      .toLowerCase()
      .split(',')
      .map((entry) => {
        const [coding = '', weight = 'q=1'] = entry.split(';').map((part) => part.trim())
        return [coding, Number(weight.slice('q='.length))]
      }),
  )
  return (weights.get('gzip') ?? weights.get('*') ?? 0) > 0
}

/** Sends a page. `directives` are added to the strict Content-Security-Policy, or replace parts of it. */
export const sendPage = (
  file: File,
  request: FastifyRequest,
  reply: FastifyReply,
  directives: Record<string, string>,
) => {
  reply.helmet({ contentSecurityPolicy: policy(directives) })
  return sendFile(file, request, reply)
}

/** A page may load scripts, styles and images from this server, and call it. */
const policy = (directives: Record<string, string> = {}) => ({
  useDefaults: false,
  directives: {
    'default-src': "'none'",
    'script-src': "'self'",
    'style-src': "'self'",
    'img-src': "'self'",
    'connect-src': "'self'",
    'base-uri': "'none'",
    'form-action': "'none'",
    'frame-ancestors': "'none'",
    ...directives,
  },
})

/** Options of @fastify/helmet for pages and their files. */
export const pageHeaders: FastifyHelmetOptions = {
  contentSecurityPolicy: policy(),
  xFrameOptions: { action: 'deny' },
  // Whether a host is served over HTTPS only is decided where TLS ends: at the proxy.
  strictTransportSecurity: false,
}
