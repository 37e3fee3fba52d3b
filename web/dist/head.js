import { byId, make } from './dom.js';
import { face } from './faces.js';
import { titleOf } from './store.js';
import { count, lastSeen, list } from './words.js';
/** Whom one talks to, and what they are doing now. */
export const renderHead = (store, place, current) => {
    const name = current ? titleOf(current) : 'peer' in place ? place.peer : '';
    const presence = current?.kind === 'group' ? undefined : store.presence.get(name);
    const state = subtitle(store, current, name);
    const about = byId('about');
    const look = JSON.stringify([name, state, presence?.online, current?.kind]);
    if (about.dataset.look !== look) {
        about.dataset.look = look;
        about.replaceChildren(face(name, { isGroup: current?.kind === 'group', isOnline: presence?.online ?? false }), make('span', {}, make('span', { class: 'name' }, name === store.me.username ? `${name} (you)` : name), make('span', { class: state.isLive ? 'state is-live' : 'state' }, state.text)));
    }
    const log = byId('log');
    log.setAttribute('aria-label', current?.kind === 'group' ? `Messages in ${name}` : `Messages with ${name}`);
    log.classList.toggle('in-group', current?.kind === 'group');
};
const subtitle = (store, current, name) => {
    const typing = current ? store.typing(current.id) : [];
    if (typing.length > 0) {
        return { text: current?.kind === 'group' ? `${list(typing)} typing…` : 'typing…', isLive: true };
    }
    if (current?.kind === 'group') {
        return { text: current.role ? count(current.member_count, 'member') : 'You left', isLive: false };
    }
    if (name === store.me.username)
        return { text: 'Notes to yourself', isLive: false };
    if (store.blocked.has(name))
        return { text: 'Blocked', isLive: false };
    const presence = store.presence.get(name);
    if (presence?.online)
        return { text: 'online', isLive: true };
    return { text: presence?.last_seen ? lastSeen(new Date(presence.last_seen)) : '', isLive: false };
};
