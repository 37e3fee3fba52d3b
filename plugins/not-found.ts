import plugin from 'fastify-plugin'
import { AppError } from '../src/errors.ts'

/** Answers a path without a route with 404. */
export const notFound = plugin(
  async (app) => {
    app.setNotFoundHandler(({ method, url }) => {
      throw new AppError('ROUTE_NOT_FOUND', `There is no route ${method} ${url.split('?', 1)[0]}.`)
    })
  },
  { name: 'not-found', dependencies: ['problems'] },
)
