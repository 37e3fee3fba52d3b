/** The server counts no further. */
export const MAX_UNREAD = 1000;
/** Milliseconds after which somebody who was typing no longer is. */
const TYPING_MS = 5000;
/** What this tab knows. It changes by the methods below only, and tells its listeners once a turn. */
export class Store {
    me;
    isConnected = false;
    place;
    /** Where the older conversations begin. */
    before;
    conversations = new Map();
    threads = new Map();
    members = new Map();
    presence = new Map();
    blocked = new Set();
    #waiting = new Map();
    #typing = new Map();
    #listeners = new Set();
    #isDirty = false;
    constructor(me) {
        this.me = me;
    }
    subscribe(listener) {
        this.#listeners.add(listener);
    }
    /** Tells the listeners that something changed, when this turn is over. */
    changed() {
        if (this.#isDirty)
            return;
        this.#isDirty = true;
        queueMicrotask(() => {
            this.#isDirty = false;
            for (const listener of this.#listeners)
                listener();
        });
    }
    /** Forgets what only holds together with the stream of before. */
    forget() {
        this.conversations.clear();
        this.threads.clear();
        this.members.clear();
        this.before = undefined;
        this.changed();
    }
    at(place) {
        if (!place)
            return undefined;
        if ('group' in place)
            return this.conversations.get(place.group);
        const name = place.peer.toLowerCase();
        for (const conversation of this.conversations.values()) {
            if (conversation.kind === 'direct' && conversation.peer?.toLowerCase() === name)
                return conversation;
        }
        return undefined;
    }
    get current() {
        return this.at(this.place);
    }
    /** The conversations, the one with the newest message first. */
    get sorted() {
        return [...this.conversations.values()].toSorted((a, b) => rank(b) - rank(a));
    }
    get unread() {
        return [...this.conversations.values()].reduce((sum, { unread_count }) => sum + unread_count, 0);
    }
    thread(id) {
        let thread = this.threads.get(id);
        if (!thread) {
            thread = { messages: [], hasOlder: true, isLoaded: false, loading: undefined, arrived: new Map() };
            this.threads.set(id, thread);
        }
        return thread;
    }
    /** Takes a conversation as the server has it. The own mark stays where it is further here: it is on its way. */
    putConversation(conversation) {
        const { id, read_up_to } = conversation;
        const mark = this.conversations.get(id)?.read_up_to ?? 0;
        this.conversations.set(id, conversation);
        if (mark > read_up_to)
            this.#moveMyMark(conversation, mark);
        this.changed();
    }
    /** A conversation begins with its first message: it is shown at once, and filled when the server says more of it. */
    begin({ conversation_id: id, sender, receiver }) {
        if (receiver === undefined)
            return;
        const peer = sender === this.me.username ? receiver : sender;
        const none = { unread_count: 0, delivered_up_to: 0, read_up_to: 0 };
        this.putConversation({ id, kind: 'direct', peer, member_count: 2, ...none });
        if (samePlace(this.place, { peer }))
            this.thread(id);
    }
    /** Takes a page of a thread. What an event has shown of a message is never older. */
    putPage(id, { messages, hasOlder, hasNewer, isElsewhere }) {
        const thread = this.thread(id);
        // Before its first page a thread has what events told, which need not adjoin.
        const loaded = thread.isLoaded && !isElsewhere ? thread.messages : [];
        const all = new Map([...messages, ...loaded].map((message) => [message.id, message]));
        const newest = Math.max(...all.keys());
        for (const [id, message] of thread.arrived) {
            if (all.has(id) || (hasNewer === false && id > newest))
                all.set(id, message);
        }
        thread.messages = [...all.values()].toSorted((a, b) => a.id - b.id);
        thread.hasOlder = hasOlder ?? thread.hasOlder;
        thread.isLoaded = true;
        thread.arrived.clear();
        this.changed();
    }
    /** @returns whether it is the newest of a conversation that is known here */
    putMessage(message) {
        const { conversation_id: id } = message;
        if (message.client_id !== undefined)
            this.#waiting.delete(message.client_id);
        const thread = this.threads.get(id);
        if (thread) {
            if (thread.loading || !thread.isLoaded)
                thread.arrived.set(message.id, message);
            thread.messages = withMessage(thread, message, this.hasNewer(id));
        }
        this.#stopTyping(id, message.sender);
        this.changed();
        const conversation = this.conversations.get(id);
        if (!conversation || message.id < newest(conversation))
            return false;
        const isNew = message.id > newest(conversation);
        const counts = isNew && message.sender_id !== this.me.id && message.id > conversation.read_up_to;
        this.conversations.set(id, {
            ...conversation,
            last_message: message,
            unread_count: Math.min(conversation.unread_count + (counts ? 1 : 0), MAX_UNREAD),
        });
        return true;
    }
    /** @returns whether my unread messages must be counted anew */
    putMarks(conversation_id, { username, delivered_up_to, read_up_to }) {
        const conversation = this.conversations.get(conversation_id);
        const member = this.members.get(conversation_id)?.find((one) => one.username === username);
        if (member) {
            member.delivered_up_to = Math.max(member.delivered_up_to, delivered_up_to);
            member.read_up_to = Math.max(member.read_up_to, read_up_to);
        }
        this.changed();
        if (!conversation)
            return false;
        if (username !== this.me.username) {
            if (conversation.kind === 'direct') {
                conversation.peer_delivered_up_to = Math.max(conversation.peer_delivered_up_to ?? 0, delivered_up_to);
                conversation.peer_read_up_to = Math.max(conversation.peer_read_up_to ?? 0, read_up_to);
            }
            return false;
        }
        conversation.delivered_up_to = Math.max(conversation.delivered_up_to, delivered_up_to);
        return !this.#moveMyMark(conversation, read_up_to);
    }
    /** @returns whether the unread messages are counted: not where some of them were never loaded, or counted. */
    #moveMyMark(conversation, read_up_to) {
        const { id, read_up_to: before, unread_count } = conversation;
        conversation.read_up_to = Math.max(before, read_up_to);
        if (conversation.read_up_to >= newest(conversation))
            conversation.unread_count = 0;
        if (conversation.unread_count === 0)
            return true;
        if (unread_count >= MAX_UNREAD || !this.#reaches(id, before))
            return read_up_to < before;
        conversation.unread_count = Math.max(0, unread_count - this.#countUnread(id, before, read_up_to));
        return true;
    }
    /** Whether a conversation has messages past those of its thread that are loaded. */
    hasNewer(id) {
        const conversation = this.conversations.get(id);
        return conversation !== undefined && (this.thread(id).messages.at(-1)?.id ?? 0) < newest(conversation);
    }
    /** Whether the thread is loaded where one goes on to read: from the first unread message, else at the newest. */
    isAtMark(id) {
        const { unread_count = 0, read_up_to = 0 } = this.conversations.get(id) ?? {};
        const last = this.thread(id).messages.at(-1)?.id ?? 0;
        return unread_count > 0 ? this.#reaches(id, read_up_to) && last > read_up_to : !this.hasNewer(id);
    }
    /** How many unread messages stand before a message: as many as the server counts where they are not loaded. */
    unreadBefore(id, message_id) {
        const { unread_count = 0, read_up_to = 0 } = this.conversations.get(id) ?? {};
        if (this.#reaches(id, read_up_to))
            return this.#countUnread(id, read_up_to, message_id - 1);
        if (this.hasNewer(id))
            return unread_count;
        return Math.max(0, unread_count - this.#countUnread(id, Math.max(read_up_to, message_id - 1)));
    }
    /** How many unread messages stand past a message, as `unreadBefore`. */
    unreadPast(id, message_id) {
        const { unread_count = 0, read_up_to = 0 } = this.conversations.get(id) ?? {};
        if (!this.hasNewer(id))
            return this.#countUnread(id, Math.max(read_up_to, message_id));
        if (unread_count >= MAX_UNREAD || !this.#reaches(id, read_up_to))
            return unread_count;
        return Math.max(0, unread_count - this.#countUnread(id, read_up_to, message_id));
    }
    /** Whether the thread has all that follows a message. */
    #reaches(id, message_id) {
        const { isLoaded, hasOlder, messages } = this.thread(id);
        return isLoaded && (!hasOlder || (messages[0]?.id ?? 0) <= message_id);
    }
    /** Counts what the server counts as unread, past one message and up to another. */
    #countUnread(id, past, to = Number.MAX_SAFE_INTEGER) {
        const { messages } = this.thread(id);
        let sum = 0;
        for (let index = messages.length - 1; index >= 0; index -= 1) {
            const { id, sender_id, deleted_at } = messages[index];
            if (id <= past)
                break;
            if (id <= to && sender_id !== this.me.id && !deleted_at)
                sum += 1;
        }
        return sum;
    }
    putWaiting(waiting) {
        this.#waiting.set(waiting.client_id, waiting);
        this.changed();
    }
    dropWaiting(client_id) {
        this.#waiting.delete(client_id);
        this.changed();
    }
    waitingOf(client_id) {
        return this.#waiting.get(client_id);
    }
    /** What is on its way to a place, in the order in which it was written. */
    waitingAt(place) {
        return [...this.#waiting.values()].filter((waiting) => samePlace(waiting.place, place));
    }
    typing(id) {
        return [...(this.#typing.get(id)?.keys() ?? [])];
    }
    startTyping(id, username) {
        const people = this.#typing.get(id) ?? new Map();
        clearTimeout(people.get(username));
        people.set(username, setTimeout(() => this.#stopTyping(id, username), TYPING_MS));
        this.#typing.set(id, people);
        this.changed();
    }
    #stopTyping(id, username) {
        const people = this.#typing.get(id);
        clearTimeout(people?.get(username));
        if (people?.delete(username))
            this.changed();
    }
}
/** How far a message of mine has come: with everybody whose marks are known. */
export const progressOf = (store, conversation, id) => {
    const others = conversation.kind === 'direct'
        ? [
            {
                delivered_up_to: conversation.peer_delivered_up_to ?? 0,
                read_up_to: conversation.peer_read_up_to ?? 0,
            },
        ]
        : (store.members.get(conversation.id) ?? []).filter(({ user_id }) => user_id !== store.me.id);
    if (conversation.peer === store.me.username)
        return 'read';
    if (others.length === 0)
        return 'sent';
    if (others.every(({ read_up_to }) => read_up_to >= id))
        return 'read';
    return others.every(({ delivered_up_to }) => delivered_up_to >= id) ? 'delivered' : 'sent';
};
/** The place of a conversation. */
export const placeOf = ({ id, kind, peer }) => kind === 'direct' && peer !== undefined ? { peer } : { group: id };
export const samePlace = (one, other) => one !== undefined && other !== undefined && placeKey(one).toLowerCase() === placeKey(other).toLowerCase();
/** A place as the part of the address after `#`. */
export const placeKey = (place) => 'peer' in place ? `with/${encodeURIComponent(place.peer)}` : `group/${place.group}`;
export const readPlace = (key) => {
    const [, kind, rest = ''] = /^#?(with|group)\/(.+)$/.exec(key) ?? [];
    if (kind === 'group' && /^\d{1,15}$/.test(rest))
        return { group: Number(rest) };
    if (kind !== 'with')
        return undefined;
    try {
        return { peer: decodeURIComponent(rest) };
    }
    catch {
        return undefined;
    }
};
export const titleOf = ({ kind, peer, title }) => (kind === 'direct' ? peer : title) ?? '';
const newest = ({ last_message }) => last_message?.id ?? 0;
/** A group in which nobody has written yet stands first. */
const rank = ({ last_message }) => last_message?.id ?? Number.MAX_SAFE_INTEGER;
/** The thread's messages with one that an event told: in its place by id, instead of what had that id. */
const withMessage = ({ messages, hasOlder, isLoaded }, message, hasNewer) => {
    const index = messages.findLastIndex(({ id }) => id <= message.id);
    if (messages[index]?.id === message.id)
        return messages.with(index, message);
    const isOutside = (index < 0 && hasOlder) || (index === messages.length - 1 && hasNewer);
    return isLoaded && isOutside ? messages : messages.toSpliced(index + 1, 0, message);
};
