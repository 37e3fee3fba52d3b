import type { components } from './generated/openapi.js';
type Schemas = components['schemas'];
export type Conversation = Schemas['Conversation'];
export type ConversationList = Schemas['ConversationList'];
export type Member = Schemas['Member'];
export type Message = Schemas['Message'];
export type Profile = Schemas['Profile'];
export type ProfileChange = Schemas['ProfileRequest'];
export type Problem = Schemas['Problem'];
export type Receipt = Schemas['Receipt'];
export type SendRequest = Schemas['SendRequest'];
export type Session = Schemas['Session'];
export type User = Schemas['User'];
export type Hello = Schemas['HelloFrame'];
export type Limits = Hello['limits'];
export type ClientFrame = Schemas['ClientFrame'];
export type ServerFrame = Schemas['ServerFrame'];
export type FrameOf<T extends ServerFrame['type']> = Extract<ServerFrame, {
    type: T;
}>;
/** A message that is not sent yet. Its `client_id` lets the server detect a repeated send. */
export type OutboxEntry = SendRequest & {
    client_id: string;
};
export {};
