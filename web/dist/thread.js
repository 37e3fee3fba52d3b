import { byId, make, setText } from './dom.js';
import { renderHead } from './head.js';
import { isMessageLine, linesOf, lookOf } from './lines.js';
import { createLongList } from './long-list.js';
import { fillMessage } from './message.js';
import { MAX_UNREAD, samePlace, titleOf } from './store.js';
import { listenToLog } from './thread-keys.js';
import { list } from './words.js';
/** Pixels from the end at which one counts as being there. */
const NEAR = 60;
/** Pixels from an end of what is loaded at which more is asked for. */
const AHEAD = 800;
/** Pixels between the upper edge and the row that one is brought to. */
const GAP = 8;
/** The open conversation: its messages, what stands between them, and where in it one is. */
export const createThread = (chat, { compose }) => {
    const { store } = chat;
    const [log, jump] = [byId('log'), byId('jump')];
    let shownPlace;
    let lines = [];
    /** Whether one has been brought to where one begins to read. */
    let isPlaced = false;
    /** Whether one is on the way to a part that may have to be loaded. */
    let isMoving = false;
    /** Whether new messages are followed, because one is at the end. */
    let isAtEnd = true;
    /** The newest message that was displayed. */
    let shownTo = 0;
    /** Messages past it were unread when one came. */
    let unreadFrom;
    const rows = createLongList(log, byId('messages'), {
        key: ({ key }) => key,
        isFixed: isMessageLine,
        estimate: (line) => line.kind === 'message' ? 42 + 21 * Math.floor(line.message.content.length / 64) : 48,
        look: (line) => JSON.stringify(lookOf(chat, line) ?? line),
        make: (line) => isMessageLine(line)
            ? make('li', { class: 'message', tabindex: -1 })
            : make('li', { class: line.kind === 'day' ? 'day' : 'unread-line' }),
        fill: (element, line) => {
            const shown = lookOf(chat, line);
            if (shown)
                fillMessage(element, shown);
            else if (!isMessageLine(line))
                setText(element, line.text);
        },
    });
    const render = () => {
        const { place, current } = store;
        byId('empty').hidden = place !== undefined;
        byId('open').hidden = place === undefined;
        if (!place) {
            shownPlace = undefined;
            return;
        }
        if (!samePlace(place, shownPlace)) {
            shownPlace = place;
            isPlaced = false;
            isMoving = false;
            unreadFrom = undefined;
            rows.clear();
        }
        if (current && !isPlaced && unreadFrom === undefined && current.unread_count > 0)
            unreadFrom = current.read_up_to;
        renderHead(store, place, current);
        renderTyping(current);
        renderLog(place, current);
        look();
    };
    const renderLog = (place, current) => {
        const thread = current && store.threads.get(current.id);
        byId('older').hidden = !thread?.hasOlder;
        const isBeginning = !current || (thread?.isLoaded && !thread.hasOlder);
        byId('beginning').hidden = !isBeginning;
        setText(byId('beginning'), beginning(place, current));
        lines = linesOf(chat, place, current, unreadFrom);
        rows.set(lines);
        const isThere = !current || thread?.isLoaded === true;
        // A thread that was forgotten is loaded anew, and begins where one goes on to read.
        if (!isThere)
            isPlaced = false;
        else if (!isPlaced)
            placeFirst(current);
        else if (isAtEnd)
            follow();
    };
    const renderTyping = (current) => {
        const people = current ? store.typing(current.id) : [];
        byId('typing').hidden = people.length === 0;
        setText(byId('typing-text'), current?.kind === 'group' ? list(people) : '');
    };
    /** Where one begins to read: at what is unread, else at the end. */
    const placeFirst = (current) => {
        isPlaced = true;
        shownTo = current?.unread_count ? current.read_up_to : newestId();
        rows.scrollToEnd();
        if (lines.some(({ kind }) => kind === 'unread') && rows.isAbove('unread'))
            rows.scrollTo('unread', GAP);
        isAtEnd = isNearEnd();
    };
    /** Keeps to the end, but moves no message out of sight that was never displayed. */
    const follow = () => {
        rows.scrollToEnd();
        const first = lines.find((line) => line.kind === 'message' && line.message.id > shownTo && line.message.sender_id !== store.me.id);
        if (!first || !rows.isAbove(first.key))
            return;
        rows.scrollTo(first.key, GAP);
        isAtEnd = isNearEnd();
    };
    const newestId = () => (store.current && store.threads.get(store.current.id)?.messages.at(-1)?.id) ?? 0;
    const left = () => log.scrollHeight - log.scrollTop - log.clientHeight;
    const hasNewer = () => store.current !== undefined && store.hasNewer(store.current.id);
    const isNearEnd = () => left() < NEAR && !hasNewer();
    /** Marks what is displayed as read, asks for what lies beyond, and shows the ways to what is unread. */
    const look = () => {
        const { current } = store;
        const visible = rows.visible();
        keys.keepStop(visible.rows.findLast(isMessageLine));
        jump.hidden = left() < log.clientHeight / 2 && !hasNewer();
        if (!current || !isPlaced || isMoving)
            return;
        const last = lastId(visible.rows);
        const passed = lastId(visible.above) ?? 0;
        const isDisplayed = document.visibilityState === 'visible' && document.hasFocus();
        if (isDisplayed && last !== undefined) {
            shownTo = Math.max(shownTo, last);
            // A mark says that all before it was read: it does not pass what was never displayed.
            if (store.unreadBefore(current.id, passed + 1) === 0)
                chat.markRead(current.id, last);
        }
        showUnread(store.unreadBefore(current.id, passed + 1), store.unreadPast(current.id, last ?? passed));
        if (log.scrollTop < AHEAD)
            void chat.history.loadOlder(current.id);
        if (left() < AHEAD)
            void chat.history.loadNewer(current.id);
    };
    const showUnread = (above, below) => {
        byId('unread').hidden = above === 0;
        setText(byId('unread-count'), `${shortCount(above)} unread above`);
        setText(byId('jump-count'), below > 0 ? shortCount(below) : '');
        jump.setAttribute('aria-label', below > 0 ? `To the newest: ${shortCount(below)} unread` : 'To the newest');
    };
    /** Goes to a part of the conversation, once it is loaded. Nothing counts as displayed on the way. */
    const move = async (load, arrive) => {
        const { place, current } = store;
        if (current) {
            isMoving = true;
            await load(current.id);
            if (!samePlace(place, store.place))
                return;
        }
        if (place)
            renderLog(place, store.current);
        arrive();
        isMoving = false;
        look();
    };
    const showMessage = (id) => move((conversation_id) => chat.history.showMessage(conversation_id, id), () => {
        const line = lines.find((line) => line.kind === 'message' && line.message.id === id);
        if (!line)
            return;
        rows.scrollTo(line.key, 'middle');
        isAtEnd = isNearEnd();
        const element = rows.elementOf(line.key);
        element?.classList.add('is-found');
        element?.addEventListener('animationend', () => element.classList.remove('is-found'), { once: true });
        keys.focus(line);
    });
    const showNewest = () => move((id) => chat.history.showNewest(id), () => {
        // Where loading failed, the newest is not there.
        isAtEnd = !hasNewer();
        shownTo = newestId();
        rows.scrollToEnd();
    });
    const showUnreadLine = () => move(async (id) => {
        await chat.history.showMark(id);
        unreadFrom = store.current?.read_up_to;
    }, () => {
        rows.scrollTo('unread', GAP);
        isAtEnd = isNearEnd();
        log.focus({ preventScroll: true });
    });
    const keys = listenToLog(chat, { rows, compose, lines: () => lines, showMessage, showNewest });
    log.addEventListener('scroll', () => {
        isAtEnd = isNearEnd();
        rows.hold();
        look();
    }, { passive: true });
    jump.addEventListener('click', () => {
        void showNewest();
        byId('draft').focus();
    });
    byId('to-unread').addEventListener('click', () => void showUnreadLine());
    byId('mark-read').addEventListener('click', () => {
        const { current } = store;
        if (current?.last_message)
            chat.markRead(current.id, current.last_message.id);
        byId('draft').focus();
    });
    new ResizeObserver(() => {
        if (isAtEnd && isPlaced)
            rows.scrollToEnd();
        else
            rows.draw();
    }).observe(log);
    addEventListener('focus', () => store.place && look());
    document.addEventListener('visibilitychange', () => store.place && look());
    // What comes while one is away is marked as new when one is back.
    addEventListener('blur', () => {
        unreadFrom = store.current?.unread_count === 0 ? store.current.last_message?.id : unreadFrom;
    });
    return {
        render,
        /** After one has written: goes to the end, and follows it again. */
        follow() {
            if (store.current?.unread_count === 0)
                unreadFrom = undefined;
            void showNewest();
        },
    };
};
const lastId = (lines) => {
    const line = lines.findLast(({ kind }) => kind === 'message');
    return line?.kind === 'message' ? line.message.id : undefined;
};
const shortCount = (count) => (count >= MAX_UNREAD ? '999+' : String(count));
const beginning = (place, current) => {
    if (current?.kind === 'group')
        return `This is the beginning of ${titleOf(current)}.`;
    const name = current ? titleOf(current) : 'peer' in place ? place.peer : '';
    return `This is the beginning of your conversation with ${name}.`;
};
