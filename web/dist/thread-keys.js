import { byId } from './dom.js';
import { isMessageLine } from './lines.js';
import { openMessageMenu } from './message-menu.js';
/** What one does with the messages of the open conversation, by mouse, touch and keys. */
export const listenToLog = (chat, { rows, compose, lines, showMessage, showNewest }) => {
    const [log, messages] = [byId('log'), byId('messages')];
    /** Makes one message the stop of the Tab key in the log; arrow keys go on from it. */
    const setStop = (element) => {
        for (const other of messages.querySelectorAll('[tabindex="0"]'))
            other.setAttribute('tabindex', '-1');
        element.setAttribute('tabindex', '0');
    };
    const focus = (line) => {
        if (!line)
            return;
        if (!rows.elementOf(line.key))
            rows.scrollTo(line.key, 'middle');
        const element = rows.elementOf(line.key);
        if (!element)
            return;
        setStop(element);
        element.focus();
    };
    const lineOf = (element) => lines()
        .filter(isMessageLine)
        .find(({ key }) => rows.elementOf(key) === element);
    const act = (element, button) => {
        const line = lineOf(element);
        if (!line)
            return;
        setStop(element);
        openMessageMenu(chat, { line, button, home: element, compose, show: showMessage });
    };
    messages.addEventListener('click', (event) => {
        const target = event.target;
        const element = target.closest('.message');
        const quote = target.closest('.quote');
        const button = target.closest('.actions');
        if (quote)
            void showMessage(Number(quote.dataset.quote));
        else if (element && button)
            act(element, button);
        else if (element && target.closest('.bubble') && !target.closest('a') && isTouch()) {
            act(element, target.closest('.bubble') ?? element);
        }
    });
    messages.addEventListener('dblclick', (event) => {
        const target = event.target;
        const element = target.closest('.message');
        const line = element && !target.closest('.text') ? lineOf(element) : undefined;
        if (line?.kind === 'message' && !line.message.deleted_at)
            compose.reply(line.message);
    });
    log.addEventListener('keydown', (event) => {
        const element = event.target.closest('.message');
        if (!element || event.target !== element)
            return;
        const all = lines().filter(isMessageLine);
        const index = all.findIndex(({ key }) => rows.elementOf(key) === element);
        if (event.key === 'ArrowUp')
            focus(all[index - 1]);
        else if (event.key === 'ArrowDown')
            focus(all[index + 1]);
        else if (event.key === 'Home')
            focus(all[0]);
        else if (event.key === 'End')
            void showNewest().then(() => focus(lines().findLast(isMessageLine)));
        else if (event.key === 'Enter' || event.key === ' ') {
            act(element, element.querySelector('.bubble') ?? element);
        }
        else if (event.key === 'Escape')
            byId('draft').focus();
        else
            return;
        event.preventDefault();
    });
    return {
        focus,
        /** Gives the Tab key a stop in the log where it has none. */
        keepStop(line) {
            const element = line && rows.elementOf(line.key);
            if (element && !messages.querySelector('[tabindex="0"]'))
                setStop(element);
        },
    };
};
const isTouch = () => matchMedia('(hover: none)').matches;
