import { foldName } from "./names.js";
/** Maps the two addresses of a direct conversation, the peer's name and the conversation's id, to each other. */
export class ConversationKeys {
    #ids = new Map();
    #peers = new Map();
    /** Learns both addresses of a direct conversation. Ignores a group, which has no `peer`. */
    link(peer, conversation_id) {
        if (peer === undefined)
            return;
        this.#ids.set(foldName(peer), conversation_id);
        this.#peers.set(conversation_id, foldName(peer));
    }
    /** @returns a key for each known address of the conversation that a request goes to */
    of({ receiver_username, conversation_id }) {
        const peer = receiver_username === undefined ? this.#peers.get(conversation_id ?? 0) : foldName(receiver_username);
        const id = conversation_id ?? this.#ids.get(peer ?? '');
        return [...(peer === undefined ? [] : [`@${peer}`]), ...(id === undefined ? [] : [`#${id}`])];
    }
}
//# sourceMappingURL=conversation-keys.js.map