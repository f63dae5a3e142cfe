// What the page does by itself, before and beside gradio.
const pastiche = (() => {
    const narrow = matchMedia('(max-width: 860px)');
    const seen = (selector, within = document) => [...within.querySelectorAll(selector)].find(e => e.offsetParent);

    // A visit: a word beside this place in the browser's history, which a reload and Back bring again.
    const again = Boolean(history.state?.pastiche);
    const visit = history.state?.pastiche || crypto.getRandomValues(new Uint32Array(5)).join('-');
    const own = state => ({...state, pastiche: visit});
    history.replaceState(own(history.state), '');
    const store = (name, value) => {
        try {
            const key = `pastiche:${visit}:${name}`;
            if (value !== undefined) sessionStorage.setItem(key, JSON.stringify(value));
            return JSON.parse(sessionStorage.getItem(key));
        } catch { return null; } // a browser that keeps nothing begins anew each time
    };
    const told = task => JSON.stringify({visit, again, settings: again ? store(task) : null});
    const keep = (task, names, values) => {
        store(task, Object.fromEntries(names.map((name, i) => [name, values[i]])));
        return [];
    };

    // Tabs: the one that was open is open again, or a link opens its own; a button leads to another.
    const bar = () => [...document.querySelectorAll('#tabs > .tab-wrapper .tab-container [role=tab]')];
    const turn = title => bar().find(tab => tab.textContent.trim() === title)?.click();
    const begin = tries => {
        const title = again && store('tab');
        if (!title && !location.search) return;
        const ready = bar().length && document.getElementById('turn');
        if (ready && !title) { ready.click(); return; }
        if (ready) turn(title);
        const turned = seen('#tabs > .tab-wrapper [role=tab][aria-selected=true]')?.textContent.trim() === title;
        if (tries && !turned) setTimeout(begin, 50, tries - 1); // until gradio heeds it
    };
    begin(1200);

    const showResult = from => {
        const result = from?.closest('.workbench')?.querySelector('.result-side') || seen('.result-side');
        const top = result?.getBoundingClientRect().top;
        if (narrow.matches && (top < 0 || top > innerHeight / 3)) result.scrollIntoView({behavior: 'smooth', block: 'start'});
    };

    // A sheet of ways to share, and a picture as large as the window.
    const openSheet = (sheet, open) => {
        sheet.classList.toggle('open', open);
        const button = sheet.closest('.result-side').querySelector('button.share');
        button.setAttribute('aria-expanded', open);
        if (open) sheet.querySelector('button.close').focus(); else button.focus();
    };
    const enlarge = picture => {
        const box = document.createElement('dialog');
        box.className = 'large-view';
        const shown = picture.cloneNode();
        shown.removeAttribute('loading');
        shown.alt = picture.alt || picture.closest('li')?.textContent || 'The picture';
        const close = document.createElement('button');
        close.textContent = 'Close';
        close.autofocus = true;
        const save = document.createElement('a');
        save.textContent = 'Save';
        save.href = picture.src;
        save.download = '';
        box.append(shown, save, close);
        box.addEventListener('click', () => box.close());
        box.addEventListener('close', () => box.remove());
        document.body.append(box);
        box.showModal();
    };

    document.addEventListener('input', ({target}) => {
        if (target.matches('.frame input[type=range]')) target.parentElement.style.setProperty('--split', `${target.value}%`);
    });
    document.addEventListener('click', event => {
        const on = selector => event.target.closest(selector);
        if (on('#tabs > .tab-wrapper [role=tab]')) {
            store('tab', on('[role=tab]').textContent.trim());
        }
        if (on('.toolbar button, .gallery-of-styles button, .from-the-hub [data-name], .brings')) showResult(event.target);
        if (on('[data-tab]')) { turn(on('[data-tab]').dataset.tab); scrollTo({top: 0}); }
        if (on('[data-large]')) enlarge((on('li') || on('.pair-view')).querySelector('img'));
        if (on('button.share')) openSheet(on('.result-side').querySelector('.share-sheet'), true);
        else if (on('.share-sheet .close')) openSheet(on('.share-sheet'), false);
        if (on('.skip')) { event.preventDefault(); seen('.toolbar button.primary')?.focus(); }
    });
    document.addEventListener('keydown', event => {
        const sheet = event.target.closest('.share-sheet.open');
        if (event.key === 'Escape' && sheet) openSheet(sheet, false);
        // In a row of pictures the arrow keys go from one to the next; Tab goes past the row.
        const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
        const row = event.target.closest('.thumbs, .gallery-of-styles, .sheet-view');
        if (!step || !row || !event.target.matches('button')) return;
        const buttons = [...row.querySelectorAll('button:not(.larger)')];
        const next = buttons[buttons.indexOf(event.target) + step];
        if (!next) return;
        event.preventDefault();
        buttons.forEach(button => { button.tabIndex = button === next ? 0 : -1; });
        next.focus();
    });
    const enterAtChosen = radio => {
        const group = [...radio.closest('.block').querySelectorAll('input[type=radio]')];
        const chosen = group.find(one => one.checked) || group[0];
        group.forEach(one => { one.tabIndex = one === chosen ? 0 : -1; });
    };
    document.addEventListener('change', ({target}) => { if (target.matches('input[type=radio]')) enterAtChosen(target); });
    addEventListener('beforeunload', event => { if (seen('.status.busy')) event.preventDefault(); });

    // What gradio leaves out: a role for empty pictures and for a canvas that has none yet, a tab stop for the radio that is chosen, one for a row; and that
    // the open tab is in sight, whoever opened it.
    const inSight = new WeakMap();
    let due = false;
    const mend = () => {
        due = false;
        document.querySelectorAll('.empty[aria-label]:not([role])').forEach(empty => empty.setAttribute('role', 'img'));
        document.querySelectorAll('[data-testid=image][aria-label]:not([role])').forEach(one => one.setAttribute('role', 'group'));
        document.querySelectorAll('input[type=radio]:checked').forEach(enterAtChosen);
        document.querySelectorAll('.tab-container').forEach(row => {
            const tab = row.querySelector('[aria-selected=true]');
            const where = tab && `${tab.offsetLeft} of ${row.clientWidth}`;
            if (!tab || !row.clientWidth || inSight.get(row) === where) return;
            inSight.set(row, where);
            const [at, box] = [tab, row].map(one => one.getBoundingClientRect());
            row.scrollLeft += at.left - box.left - (box.width - at.width) / 2;
        });
        document.querySelectorAll('.thumbs, .gallery-of-styles').forEach(row => {
            const buttons = [...row.querySelectorAll('button')];
            if (!buttons.length || buttons.filter(button => button.tabIndex === 0).length === 1) return;
            const first = buttons.find(button => button.getAttribute('aria-pressed') === 'true') || buttons[0];
            buttons.forEach(button => { button.tabIndex = button === first ? 0 : -1; });
        });
    };
    new MutationObserver(() => {
        if (!due) requestAnimationFrame(mend);
        due = true;
    }).observe(document.documentElement, {childList: true, subtree: true});

    document.fonts.addEventListener('loadingdone', mend); // with its own letters a row of tabs is a wider one
    addEventListener('resize', mend); // and a phone may be turned

    const hint = element => {
        const note = element.querySelector('aside');
        const known = value => {
            try {
                if (value) localStorage.setItem('pastiche:seen', value);
                return localStorage.getItem('pastiche:seen');
            } catch { return null; }
        };
        note.hidden = Boolean(known()) || /[?&](task|remix)=/.test(location.search); // who follows a link knows what for
        const away = () => { note.hidden = true; known('1'); };
        document.addEventListener('click', event => { if (event.target.closest('button')) away(); });
    };

    const copyLink = (query, element, home) => {
        const question = query ? '?' + query : '';
        const link = (home || location.origin + location.pathname) + question;
        history.replaceState(own(history.state), '', location.pathname + question);
        const button = document.getElementById(element);
        const done = () => {
            const before = button.textContent;
            button.textContent = 'Link copied';
            setTimeout(() => { button.textContent = before; }, 2000);
        };
        const ask = () => window.prompt('The link to these settings:', link);
        if (navigator.clipboard) navigator.clipboard.writeText(link).then(done, ask); else ask();
    };

    return {told, keep, hint, copyLink};
})();
