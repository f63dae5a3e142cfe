"""The networks of others among the fast styles: those that are listed, and any that somebody names on the Hub.

A style of a repository is known by the repository's name and commit; where that knows several, by a space and its own
name besides.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from nst import fast, taught, weights
from nst.registry import list_models, offered
from nst.server import limits, visits
from nst.ui.markup import button
from nst.ui.stylerow import title
from nst.weights import Weights, repository
from nst.weights.repository import Offer

ADDRESS = "https://huggingface.co/"


def split(name: str) -> tuple[str, str]:
    """The repository of a style and what the style is called there; both "" for one that is of none."""
    repo, _, style = name.partition(" ")
    return (repo, style) if repository.parse(repo) else ("", "")


def find(name: str) -> Offer:
    """What a repository has to offer; asks the Hub where that is not known yet. Raises ValueError where strangers
    choose from the list, or it is none, or of no use here; nst.weights.WeightsError if it is not to be had, or cannot
    be used."""
    if limits.current() is limits.STRICT:
        raise ValueError("On this server networks are chosen from the list.")
    offer = offered(name.strip().removeprefix(ADDRESS).rstrip("/"))
    if offer is None:
        raise ValueError("Type a repository of the Hub as OWNER/NAME, or as OWNER/NAME@REVISION.")
    paints = {entry.architecture for entry in list_models("style")}
    if offer.architecture and not offer.taught and offer.architecture not in paints:
        raise ValueError(f"{offer.repo} holds no network that paints photos: it is of the kind {offer.architecture}.")
    return offer


def look_up(name: str) -> Offer:
    """The same, to be listed on the page from now on."""
    offer, visit = find(name), visits.here()
    visit.offers = {offer.repo: offer, **{repo: one for repo, one in visit.offers.items() if repo != offer.repo}}
    while len(visit.offers) > repository.MOST_FETCHED:
        visit.offers.popitem()
    return offer


def any_picture(name: str) -> bool:
    """Whether a repository holds a network that paints in a picture, whichever it is shown."""
    return bool(name) and find(name).architecture in fast.LOOKS


def network(name: str) -> str:
    """The network that a style of the Hub is of; "" for any other style, and for one that was taught."""
    repo, _ = split(name)
    return repo if repo and not find(repo).taught else ""


def taken(name: str, model: str) -> Any:
    """A style as a run takes it: of the Hub what was taught, its name in that model, or the model's own."""
    repo, style = split(name)
    return (taught.pull(repo) if repo and not model else None) or style or name


def settled(name: str) -> str:
    """The style that is typed, "owner/name" or "owner/name style", as it is known here; raises as `find` does, or
    ValueError where it is not said which style."""
    repo, style = split(name.strip())
    offer = find(repo or name)
    if offer.taught or len(offer.styles) < 2:
        return offer.name
    if style not in offer.styles:
        raise ValueError(f"{offer.repo} knows several styles: type one after it, as in {offer.repo} {offer.styles[0]}.")
    return f"{offer.name} {style}"


def named(names: Sequence[str], model: str | None) -> tuple[list[str], str]:
    """The styles that a link or a recipe names, of this network, as they are chosen here, and a sentence on the first
    that is not to be had."""
    found, missing, network = list[str](), "", repository.parse(model or "")
    for name in names:
        repo, style = split(name)
        if not repo and not network:
            found.append(name)
            continue
        try:
            offer = look_up(repo or str(model))
        except (ValueError, weights.WeightsError) as error:
            missing = missing or str(error)
            continue
        style = style or ("" if repo else name)
        several = style in offer.styles and len(offer.styles) > 1
        looks = not repo and offer.architecture in fast.LOOKS  # then the name is that of a picture
        found += [f"{offer.name} {style}" if several else offer.name, *([name] if looks else ())]
    return list(dict.fromkeys(found)), missing


def html(networks: Sequence[Weights], chosen: Sequence[str]) -> str:
    """The section, with what is to be known of each network before it is fetched."""
    buttons = ""
    for entry in networks:
        terms = f"{'here' if weights.find(entry) else f'{entry.size / 1e6:.1f} MB'}, {entry.license}"
        buttons += _button(entry.name, title(entry.name), terms, f"{entry.source}; {entry.repo} on the Hub", chosen)
    opened, more = any(entry.name in chosen for entry in networks), ""
    if limits.current() is not limits.STRICT:
        visit = visits.here()
        offers = visit.offers | {one.repo: one for one in repository.fetched() if one.repo not in visit.offers}
        opened = opened or bool(visit.offers) or any(split(name)[0] for name in chosen)
        more = FORM + "".join(_offer_html(offer, chosen) for offer in offers.values())
    summary = "<summary>From the Hub, to download</summary>"
    return f'<details class="from-the-hub"{" open" * opened}>{summary}<div>{buttons}</div>{more}</details>'


def _offer_html(offer: Offer, chosen: Sequence[str]) -> str:
    """What a repository holds, and a button for each style of it."""
    several = not offer.taught and len(offer.styles) > 1
    names = [f"{offer.name} {style}" for style in offer.styles] if several else [offer.name]
    shown = {name: title(name) if several else "Use it" for name in names}
    buttons = "".join(_button(name, word, "", f"{word}: {offer.repo}", chosen) for name, word in shown.items())
    terms = "here" if offer.here else offer.terms
    kind = "a taught style" if offer.taught else offer.architecture or "a network of others"
    link = f'<a href="{escape(offer.card)}" target="_blank" rel="noopener noreferrer">its card</a>'
    return f"<p><b>{escape(offer.repo)}</b>: {escape(kind)}, {escape(terms)}; {link}</p><div>{buttons}</div>"


def _button(name: str, shown: str, terms: str, about: str, chosen: Sequence[str]) -> str:
    small = f" <small>{escape(terms)}</small>" if terms else ""
    return button(f"{escape(shown)}{small}", data_name=name, aria_pressed=name in chosen, title=about)


FORM = """<form><input type="text" name="repository" placeholder="OWNER/NAME" aria-label="A repository of the Hub"
 maxlength="200" autocomplete="off" autocapitalize="off" spellcheck="false"><button>Look up</button></form>"""
