import type { SendRequest } from './types.js';
/** Maps the two addresses of a direct conversation, the peer's name and the conversation's id, to each other. */
export declare class ConversationKeys {
    #private;
    /** Learns both addresses of a direct conversation. Ignores a group, which has no `peer`. */
    link(peer: string | undefined, conversation_id: number): void;
    /** @returns a key for each known address of the conversation that a request goes to */
    of({ receiver_username, conversation_id }: SendRequest): string[];
}
