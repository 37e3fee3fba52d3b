import helmet from '@fastify/helmet'
import fastify, { type FastifyInstance, type FastifyServerOptions, LogController } from 'fastify'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { appScope } from '../plugins/app-scope.ts'
import { auth } from '../plugins/auth.ts'
import { authenticatedScope } from '../plugins/authenticated-scope.ts'
import { bodies } from '../plugins/bodies.ts'
import { clientErrors, onClientError } from '../plugins/client-errors.ts'
import { closing } from '../plugins/closing.ts'
import { control } from '../plugins/control.ts'
import { crossOrigin } from '../plugins/cors.ts'
import { database } from '../plugins/database.ts'
import { docs } from '../plugins/docs.ts'
import { host } from '../plugins/host.ts'
import { metrics } from '../plugins/metrics.ts'
import { notFound } from '../plugins/not-found.ts'
import { otherMethods } from '../plugins/other-methods.ts'
import { openapi } from '../plugins/openapi.ts'
import { problems } from '../plugins/problems.ts'
import { chat } from '../plugins/chat.ts'
import { requestLog } from '../plugins/request-log.ts'
import { requestTurns } from '../plugins/request-turns.ts'
import { web } from '../plugins/web.ts'
import { webhooks } from '../plugins/webhooks.ts'
import { sockets } from '../plugins/sockets.ts'
import { type Config, listOf } from './config.ts'
import { NO_BODY_LIMIT } from './http/body-limit.ts'
import { isHandshake } from './http/handshake.ts'
import { replyWithProblem } from './http/problem-replies.ts'
import { pageHeaders } from './http/static-files.ts'
import { accountRoutes } from './routes/accounts.ts'
import { appUserRoutes } from './routes/app-users.ts'
import { blockRoutes } from './routes/blocks.ts'
import { conversationRoutes } from './routes/conversations.ts'
import { documentRoutes } from './routes/documents.ts'
import { eventRoutes } from './routes/events.ts'
import { groupRoutes } from './routes/groups.ts'
import { healthRoutes } from './routes/health.ts'
import { keyedGroupRoutes } from './routes/keyed-groups.ts'
import { loginRoutes } from './routes/login.ts'
import { messageRoutes } from './routes/messages.ts'
import { metricsRoutes } from './routes/metrics.ts'
import { reportRoutes } from './routes/reports.ts'
import { socketRoutes } from './routes/socket.ts'
import { suspensionRoutes } from './routes/suspensions.ts'
import { syncRoutes } from './routes/sync.ts'
import { webhookRoutes } from './routes/webhooks.ts'

/** Milliseconds without traffic until a connection is closed. A long poll waits at most half as long. */
const IDLE_TIMEOUT = 60_000

/**
 * Builds the server without listening.
 * @throws StorageError if the database cannot be opened or migrated
 */
export const buildApp = async (config: Config, options: Pick<FastifyServerOptions, 'logger'> = {}) => {
  const app = fastify({
    logger: options.logger ?? false,
    logController: new LogController({ disableRequestLogging: true }),
    // For routes without a body. The bodies plugin computes the limit of the others from their schemas.
    bodyLimit: NO_BODY_LIMIT,
    trustProxy: listOf(config.TRUST_PROXY),
    requestTimeout: config.REQUEST_TIMEOUT_MS,
    connectionTimeout: Math.max(config.REQUEST_TIMEOUT_MS * 4, IDLE_TIMEOUT),
    keepAliveTimeout: 72_000,
    http: {
      headersTimeout: config.REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: 1000,
      // The host plugin requires it, and answers with a problem.
      requireHostHeader: false,
      shouldUpgradeCallback: isHandshake,
    },
    return503OnClosing: false,
    // A migration of a large database may take minutes.
    pluginTimeout: 0,
    routerOptions: { maxParamLength: 2048 },
    frameworkErrors(error, request, reply) {
      replyWithProblem(error, request, reply)
    },
    clientErrorHandler(this: FastifyInstance, error, socket) {
      onClientError(this, error, socket)
    },
  }).withTypeProvider<TypeBoxTypeProvider>()
  app.decorate('config', config)
  app.server.maxConnections = config.MAX_SOCKETS + config.MAX_CONNECTIONS

  // Each plugin names the plugins that it depends on. A wrong order fails here.
  await app.register(problems)
  await app.register(clientErrors)
  await app.register(notFound)
  await app.register(otherMethods)
  await app.register(host)
  await app.register(closing)
  await app.register(database)
  await app.register(chat)
  await app.register(auth)
  await app.register(requestTurns)
  await app.register(bodies)
  await app.register(openapi)
  await app.register(crossOrigin)
  await app.register(sockets)
  await app.register(webhooks)
  await app.register(metrics)
  await app.register(control)
  await app.register(requestLog)

  await app.register(loginRoutes)
  await app.register(async (scope) => {
    await scope.register(authenticatedScope)
    await scope.register(accountRoutes)
    await scope.register(messageRoutes)
    await scope.register(conversationRoutes)
    await scope.register(groupRoutes)
    await scope.register(blockRoutes)
    await scope.register(syncRoutes)
    await scope.register(socketRoutes)
  })
  await app.register(async (scope) => {
    await scope.register(appScope)
    await scope.register(appUserRoutes)
    await scope.register(eventRoutes)
    await scope.register(webhookRoutes)
    await scope.register(suspensionRoutes)
    await scope.register(reportRoutes)
    await scope.register(keyedGroupRoutes)
  })
  await app.register(healthRoutes)
  await app.register(metricsRoutes)
  await app.register(documentRoutes)
  await app.register(async (scope) => {
    await scope.register(helmet, pageHeaders)
    await scope.register(docs)
    await scope.register(web)
  })
  app.refuseOtherMethods()

  await app.ready()
  return app
}

export type App = FastifyInstance

declare module 'fastify' {
  interface FastifyInstance {
    config: Config
  }
}
