import { drawing, make, setAttributes } from './dom.js';
/**
 * Opens the menu beside what asked for it. Arrow keys go through it, Escape and a click elsewhere close it, and the focus
 * goes back to `home`.
 */
export const openMenu = (button, choices, home = button) => {
    const menu = make('div', { class: 'menu', role: 'menu', popover: 'auto' });
    const items = choices.map(({ label, icon, isDangerous, act }) => {
        const item = make('button', { type: 'button', role: 'menuitem', tabindex: -1, class: isDangerous ? 'is-dangerous' : undefined }, icon !== undefined && drawing(icon), label);
        item.addEventListener('click', () => {
            menu.hidePopover();
            act();
        });
        return item;
    });
    menu.append(...items);
    menu.addEventListener('keydown', (event) => {
        const index = items.indexOf(document.activeElement);
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (step !== undefined)
            items.at((index + step) % items.length)?.focus();
        else if (event.key === 'Home')
            items[0]?.focus();
        else if (event.key === 'End')
            items.at(-1)?.focus();
        else if (event.key === 'Tab')
            menu.hidePopover();
        else
            return;
        event.preventDefault();
    });
    menu.addEventListener('toggle', ({ newState }) => {
        if (newState === 'open')
            return;
        setAttributes(button, { 'aria-expanded': undefined });
        // What was chosen may have put the focus where it goes on.
        const isLost = document.activeElement === document.body || menu.contains(document.activeElement);
        menu.remove();
        if (isLost)
            home.focus();
    });
    (button.closest('nav, section, main') ?? document.body).append(menu);
    setAttributes(button, { 'aria-expanded': 'true' });
    menu.showPopover();
    placeBeside(menu, button.getBoundingClientRect());
    items[0]?.focus();
};
const GAP = 6;
/** Below what asked for it where there is room, else above; never off the page. */
const placeBeside = (menu, { left, right, top, bottom }) => {
    const { offsetWidth: width, offsetHeight: height } = menu;
    const isLeft = left + width < innerWidth - GAP;
    const x = isLeft ? left : right - width;
    const y = bottom + GAP + height < innerHeight ? bottom + GAP : Math.min(top - GAP, innerHeight - GAP) - height;
    menu.style.left = `${Math.max(GAP, x)}px`;
    menu.style.top = `${Math.max(GAP, y)}px`;
};
