import { byId, make, reconcile, setText, elementOf } from './dom.js';
import { face } from './faces.js';
import { tick } from './message.js';
import { placeKey, placeOf, progressOf, samePlace, titleOf } from './store.js';
import { wordsOf } from './lines.js';
import { count, list, shortTime } from './words.js';
/** Milliseconds after the last key before people are looked for. */
const PAUSE_MS = 150;
/** The conversations, and the people one might begin one with. */
export const createSidebar = (chat) => {
    const { store } = chat;
    const [search, lists] = [elementOf(HTMLInputElement, 'search'), byId('lists')];
    let people = [];
    let timer;
    const render = () => {
        renderMe();
        const wanted = search.value.trim().toLowerCase();
        const shown = store.sorted.filter((one) => titleOf(one).toLowerCase().includes(wanted));
        reconcile(byId('conversations'), shown, {
            key: (one) => placeKey(placeOf(one)),
            look: lookOf,
            make: (one) => make('li', {}, rowLink(placeKey(placeOf(one)))),
            fill: fillRow,
        });
        const others = wanted === '' ? [] : people.filter(({ username }) => !store.at({ peer: username }));
        byId('people').hidden = others.length === 0;
        reconcile(byId('people-list'), others, {
            key: ({ username }) => username,
            look: ({ username }) => username,
            make: ({ username }) => make('li', {}, rowLink(placeKey({ peer: username }))),
            fill: (element, { username }) => element.firstElementChild?.replaceChildren(face(username), make('span', { class: 'lines' }, nameOf(username))),
        });
        const isNothing = shown.length === 0 && others.length === 0;
        byId('nothing').hidden = !isNothing || !chat.isLoaded;
        setText(byId('nothing'), wanted === '' ? 'No conversations yet. Find somebody by name to begin one.' : 'Nobody by this name.');
        byId('alone').hidden = store.conversations.size > 0 || wanted !== '' || !chat.isLoaded;
        byId('more-conversations').hidden = store.before === undefined;
    };
    const renderMe = () => {
        const me = byId('me');
        const look = JSON.stringify([store.me.username, store.isConnected]);
        if (me.dataset.look === look)
            return;
        me.dataset.look = look;
        me.replaceChildren(face(store.me.username, { isOnline: store.isConnected }), make('span', {}, make('span', { class: 'name' }, store.me.username), make('span', { class: 'state' }, store.isConnected ? 'online' : 'connecting…')));
    };
    const lookOf = (one) => {
        const { last_message: last, unread_count, kind } = one;
        const isMine = last?.sender_id === store.me.id;
        return JSON.stringify([
            titleOf(one),
            last && [
                last.id,
                wordsOf(last),
                shortTime(new Date(last.timestamp)),
                isMine && progressOf(store, one, last.id),
            ],
            unread_count,
            store.typing(one.id),
            kind === 'direct' && store.presence.get(titleOf(one))?.online,
            samePlace(store.place, placeOf(one)),
        ]);
    };
    const nameOf = (name) => make('span', { class: 'name' }, name === store.me.username ? `${name} (you)` : name);
    const fillRow = (element, one) => {
        const { kind, last_message: last, unread_count } = one;
        const name = titleOf(one);
        const isGroup = kind === 'group';
        const isMine = last?.sender_id === store.me.id;
        const typing = store.typing(one.id);
        const excerpt = make('span', { class: 'excerpt' });
        if (typing.length > 0) {
            excerpt.classList.add('is-live');
            excerpt.append(isGroup ? `${list(typing)} typing…` : 'typing…');
        }
        else if (last) {
            if (isMine && !last.deleted_at)
                excerpt.append(tick(progressOf(store, one, last.id)), ' ');
            if (isGroup)
                excerpt.append(isMine ? 'You: ' : `${last.sender}: `);
            excerpt.append(wordsOf(last));
        }
        else
            excerpt.append(isGroup ? count(one.member_count, 'member') : '');
        const link = element.firstElementChild;
        link.classList.toggle('has-unread', unread_count > 0);
        link.setAttribute('aria-current', String(samePlace(store.place, placeOf(one))));
        link.replaceChildren(face(name, { isGroup, isOnline: !isGroup && (store.presence.get(name)?.online ?? false) }), make('span', { class: 'lines' }, make('span', { class: 'line' }, nameOf(name), last && make('time', { datetime: last.timestamp }, shortTime(new Date(last.timestamp)))), make('span', { class: 'line' }, excerpt, unread_count > 0 &&
            make('span', { class: 'badge' }, unread_count >= 1000 ? '999+' : String(unread_count), make('span', { class: 'visually-hidden' }, ' unread')))));
    };
    const rowLink = (key) => make('a', { class: 'row', href: `#${key}` });
    search.addEventListener('input', () => {
        clearTimeout(timer);
        render();
        timer = setTimeout(() => void find(), PAUSE_MS);
    });
    search.addEventListener('keydown', (event) => {
        if (event.key === 'Escape')
            clear();
        else if (event.key === 'ArrowDown')
            links()[0]?.focus();
        else if (event.key === 'Enter')
            links()[0]?.click();
        else
            return;
        event.preventDefault();
    });
    lists.addEventListener('keydown', (event) => {
        const all = links();
        const index = all.indexOf(document.activeElement);
        if (index < 0)
            return;
        if (event.key === 'ArrowDown')
            all[index + 1]?.focus();
        else if (event.key === 'ArrowUp')
            (all[index - 1] ?? search).focus();
        else
            return;
        event.preventDefault();
    });
    lists.addEventListener('click', (event) => {
        if (event.target.closest('.row') && search.value !== '')
            clear();
    });
    byId('copy-address').addEventListener('click', () => chat.copy(location.origin, 'The address is copied.'));
    byId('more-conversations').addEventListener('click', () => void chat.loadMoreConversations());
    const find = async () => {
        const wanted = search.value.trim();
        const found = wanted === '' ? [] : await chat.people.findPeople(wanted);
        if (search.value.trim() !== wanted)
            return;
        people = found;
        render();
    };
    const links = () => [...lists.querySelectorAll('.row')];
    const clear = () => {
        search.value = '';
        people = [];
        render();
    };
    return { render, focus: () => search.focus() };
};
