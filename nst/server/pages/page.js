const split = document.getElementById('split');
if (split) split.addEventListener('input', () => split.parentElement.style.setProperty('--split', split.value + '%'));
const copy = document.getElementById('copy');
if (copy && navigator.clipboard) {
    copy.hidden = false;
    copy.addEventListener('click', () => navigator.clipboard.writeText(location.href).then(() => {
        copy.textContent = 'Link copied';
        setTimeout(() => { copy.textContent = 'Copy link'; }, 2000);
    }));
}
