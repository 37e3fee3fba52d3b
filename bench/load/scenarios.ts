/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import { history, createHistoryBeside, conversationPages, historyPages, sendHttp } from './http-scenarios.ts'
import { createResume, idle } from './memory-scenarios.ts'
import { fanOut, sendSocket, sendSocketBig } from './socket-scenarios.ts'

export const scenarios = {
  sendHttp,
  history,
  historyPages,
  conversationPages,
  historyAlone: createHistoryBeside(false),
  historyBesideSends: createHistoryBeside(true),
  sendSocket,
  sendSocketBig,
  fanOut,
  idle,
  resume: createResume(true),
  noResume: createResume(false),
}
export type Scenario = keyof typeof scenarios
