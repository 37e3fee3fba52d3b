export type { GetToken } from './app-tokens.ts'
export { newClientId } from './client-id.ts'
export { type ClientErrorCode, type ErrorCode, MessengerError } from './error.ts'
export type { Events, EventType, MessengerEvent, State } from './events.ts'
export { closeCodes } from './generated/close-codes.ts'
export type { ServerErrorCode } from './generated/error-codes.ts'
export type { components, operations, paths } from './generated/openapi.ts'
export { type Api, type Credentials, type Fetch, login, unwrap } from './http.ts'
export { type ConnectOptions, Messenger, type MessengerOptions } from './messenger.ts'
export { foldName } from './names.ts'
export type { Profiles } from './profiles.ts'
export {
  memoryStorage,
  type MessengerStorage,
  type Owner,
  type StoredState,
  /** The name of `StoredState` in earlier versions. */
  type StoredState as Kept,
  type WebStorage,
  webStorage,
} from './storage.ts'
export type * from './types.ts'
