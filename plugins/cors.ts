import cors, { type FastifyCorsOptions } from '@fastify/cors'
import type { FastifyRequest } from 'fastify'
import plugin from 'fastify-plugin'
import { listOf } from '../src/config.ts'

/** Allows pages of the origins in CORS_ORIGINS to call the server. */
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
      // An OPTIONS request that is not a preflight gets 405 from the other-methods plugin.
      delegator: async (request: FastifyRequest) => ({ ...options, preflight: isPreflight(request) }),
    })
  },
  { name: 'cors', dependencies: ['problems', 'bodies'] },
)

const isPreflight = ({ headers }: FastifyRequest) =>
  headers.origin !== undefined && headers['access-control-request-method'] !== undefined
