import cors, { type FastifyCorsOptions } from '@fastify/cors'
import type { FastifyRequest } from 'fastify'
import plugin from 'fastify-plugin'
import { listOf } from '../src/config.ts'

/** Lets pages of other origins call the server, where CORS_ORIGINS lists any. */
export const crossOrigin = plugin(
  async (app) => {
    const origin = listOf(app.config.CORS_ORIGINS)
    if (origin.length === 0) return
    const options: FastifyCorsOptions = {
      origin,
      methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
      exposedHeaders: ['Link', 'Has-Older', 'Has-Newer', 'Idempotent-Replayed', 'Retry-After'],
    }
    await app.register(cors, {
      // An OPTIONS that is no preflight is refused as any method that an address has not.
      delegator: async (request: FastifyRequest) => ({ ...options, preflight: isPreflight(request) }),
    })
  },
  { name: 'cors', dependencies: ['problems', 'validation'] },
)

const isPreflight = ({ headers }: FastifyRequest) =>
  headers.origin !== undefined && headers['access-control-request-method'] !== undefined
