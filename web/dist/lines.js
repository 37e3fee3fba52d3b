import { DELETED, shownMessage, shownWaiting } from './message.js';
import { progressOf } from './store.js';
import { dayName, excerpt } from './words.js';
/** Messages of one person within it stand together. */
const TOGETHER_MS = 5 * 60_000;
export const isMessageLine = (line) => line.kind === 'message' || line.kind === 'waiting';
/** What the log shows, from top to bottom. @param unreadFrom the message past which all were new to one */
export const linesOf = ({ store }, place, current, unreadFrom) => {
    const lines = [];
    let last;
    let dayEnds = Number.NEGATIVE_INFINITY;
    let hasUnreadLine = false;
    /** @returns whether a message is the first of several by the same person */
    const begin = (sender, timestamp) => {
        const time = Date.parse(timestamp);
        const isNewDay = time >= dayEnds;
        if (isNewDay) {
            const date = new Date(time);
            dayEnds = new Date(time).setHours(24, 0, 0, 0);
            lines.push({ key: `day-${date.toDateString()}`, kind: 'day', text: dayName(date) });
        }
        const isFirst = isNewDay || last?.sender !== sender || time - last.time > TOGETHER_MS;
        last = { sender, time };
        return isFirst;
    };
    for (const message of (current && store.threads.get(current.id)?.messages) ?? []) {
        const isFirst = begin(message.sender, message.timestamp);
        const isUnread = unreadFrom !== undefined && message.id > unreadFrom;
        const isFirstUnread = isUnread && !hasUnreadLine && message.sender_id !== store.me.id;
        if (isFirstUnread) {
            hasUnreadLine = true;
            lines.push({ key: 'unread', kind: 'unread', text: 'New messages' });
        }
        const key = message.client_id ?? `message-${message.id}`;
        lines.push({ key, kind: 'message', message, isFirst: isFirst || isFirstUnread });
    }
    for (const waiting of store.waitingAt(place)) {
        const isFirst = begin(store.me.username, waiting.timestamp);
        lines.push({ key: waiting.client_id, kind: 'waiting', waiting, isFirst });
    }
    return lines;
};
/** How a line with a message looks now. */
export const lookOf = (chat, line) => {
    const { store } = chat;
    const { current, me } = store;
    if (line.kind === 'waiting') {
        const { waiting, isFirst } = line;
        const quote = quoteOf(chat, current, waiting.reply_to);
        return shownWaiting(waiting, { sender: me.username, isFirst, quote });
    }
    if (line.kind !== 'message')
        return undefined;
    const { message, isFirst } = line;
    const isMine = message.sender_id === me.id;
    const progress = isMine && current ? progressOf(store, current, message.id) : undefined;
    const quote = quoteOf(chat, current, message.reply_to);
    return shownMessage(message, { isMine, isFirst, isInGroup: current?.kind === 'group', progress, quote });
};
const quoteOf = (chat, current, id) => {
    if (!current || id === undefined)
        return undefined;
    const message = chat.history.quoted(current.id, id);
    if (!message)
        return { id, sender: '', text: '…' };
    return {
        id,
        sender: message.sender_id === chat.store.me.id ? 'You' : message.sender,
        text: wordsOf(message),
    };
};
/** What one line can say of a message. */
export const wordsOf = ({ content, deleted_at }) => deleted_at ? DELETED : excerpt(content);
