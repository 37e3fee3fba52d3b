export type { GetToken } from './app-tokens.js';
export { newClientId } from './client-id.js';
export { type ClientErrorCode, type ErrorCode, MessengerError } from './error.js';
export type { Events, EventType, MessengerEvent, State } from './events.js';
export { closeCodes } from './generated/close-codes.js';
export type { ServerErrorCode } from './generated/error-codes.js';
export type { components, operations, paths } from './generated/openapi.js';
export { type Api, type Credentials, type Fetch, login, unwrap } from './http.js';
export { type ConnectOptions, Messenger, type MessengerOptions } from './messenger.js';
export { foldName } from './names.js';
export type { Profiles } from './profiles.js';
export { memoryStorage, type MessengerStorage, type Owner, type StoredState, 
/** The name of `StoredState` in earlier versions. */
type StoredState as Kept, type WebStorage, webStorage, } from './storage.js';
export type * from './types.js';
