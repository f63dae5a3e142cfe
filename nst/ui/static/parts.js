// What pieces of the page do that a component of gradio's holds: `element` is the piece, `trigger` tells the server.
Object.assign(pastiche, {
    // Buttons with a name, or with a number, of which the one that is pressed stays pressed.
    named(element, trigger) {
        element.addEventListener('click', event => {
            const button = event.target.closest('button[data-name]');
            if (button) trigger('select', {name: button.dataset.name});
        });
    },
    numbered(element, trigger) {
        element.addEventListener('click', event => {
            const button = event.target.closest('button[data-number]');
            if (!button) return;
            for (const one of element.querySelectorAll('[data-number]')) one.setAttribute('aria-pressed', one === button);
            trigger('select', {number: Number(button.dataset.number)});
        });
    },

    // A line to type in.
    typed(element, trigger) {
        element.addEventListener('submit', event => {
            event.preventDefault();
            trigger('submit', {name: event.target.elements[0].value});
        });
    },

    // A square in which styles blend, by dragging or by arrow keys: x and y from 0 to 1.
    pad(element, trigger) {
        let held = false;
        const go = (x, y) => {
            const mark = element.querySelector('b');
            const [left, top] = [x, y].map(at => Math.min(1, Math.max(0, at)));
            mark.style.left = 100 * left + '%'; mark.style.top = 100 * top + '%';
            return {x: left, y: top};
        };
        const at = event => {
            const box = element.querySelector('.pad').getBoundingClientRect();
            return go((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
        };
        element.addEventListener('pointerdown', event => {
            if (!event.target.closest('.pad')) return;
            held = true; element.setPointerCapture(event.pointerId); at(event);
        });
        element.addEventListener('pointermove', event => { if (held) at(event); });
        element.addEventListener('pointerup', event => { if (held) { held = false; trigger('select', at(event)); } });
        element.addEventListener('keydown', event => {
            const move = {ArrowLeft: [-.1, 0], ArrowRight: [.1, 0], ArrowUp: [0, -.1], ArrowDown: [0, .1]}[event.key];
            if (!move || !event.target.closest('.pad')) return;
            event.preventDefault();
            const mark = element.querySelector('b');
            trigger('select', go(parseFloat(mark.style.left) / 100 + move[0], parseFloat(mark.style.top) / 100 + move[1]));
        });
    },

    // Two clips: the one before plays along with the painted one; one that the browser does not know goes.
    together(element) {
        const follow = event => {
            const [painted, before] = element.querySelectorAll('video');
            if (!before || event.target !== painted) return;
            if (Math.abs(before.currentTime - painted.currentTime) > 0.1) before.currentTime = painted.currentTime;
            if (event.type === 'play') before.play().catch(() => {});
            if (event.type === 'pause') before.pause();
        };
        for (const type of ['play', 'pause', 'seeked', 'timeupdate']) element.addEventListener(type, follow, true);
        element.addEventListener('error', event => { if (event.target.muted) event.target.remove(); }, true);
    },

    // A link to copy.
    copied(element) {
        element.addEventListener('click', event => {
            const button = event.target.closest('[data-copy]');
            const field = element.querySelector('[data-link]');
            if (event.target.tagName === 'INPUT') event.target.select();
            if (!button || !field) return;
            const done = () => { button.textContent = 'Copied'; setTimeout(() => { button.textContent = 'Copy'; }, 2000); };
            if (navigator.clipboard) navigator.clipboard.writeText(field.value).then(done, () => field.select());
            else field.select();
        });
    },

    // What asks the server whenever it comes into sight.
    sighted(element, trigger) {
        new IntersectionObserver(entries => {
            if (entries.some(entry => entry.isIntersecting)) trigger('select', {});
        }).observe(element);
    },

    // A tab that a link has turned the page to: it does not always tell by itself, and is looked at once it is laid out.
    look(task, tries = 400) {
        const button = document.getElementById('look-' + task);
        if (!task) return;
        if (button && !button.dataset.looked) { button.dataset.looked = 'yes'; button.click(); }
        else if (!button && tries) setTimeout(() => pastiche.look(task, tries - 1), 50);
    },
});
