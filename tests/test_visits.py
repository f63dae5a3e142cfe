"""What a visitor has: there again by the visit's own word, for nobody else, and never without bound."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from fresh import fresh

from nst.server import inputs


@pytest.fixture
def visits():
    """Those of a server that nobody has visited."""
    return fresh("nst.server.visits")


def asked_by(session: str, monkeypatch: Any, address: str = "192.0.2.1") -> Any:
    monkeypatch.setattr(inputs, "session", lambda: session)
    return SimpleNamespace(client=SimpleNamespace(host=address), headers={})


def test_a_page_that_is_loaded_anew_goes_on_with_its_visit(monkeypatch, visits):
    word = "4-8-15-16-23-42-4-8-15-16"
    first = visits.enter(word, asked_by("one", monkeypatch))
    first.chosen["content"] = "photo"
    assert visits.here() is first
    request = asked_by("two", monkeypatch)
    assert visits.here() is not first, "a session that has named no visit has none"
    assert visits.enter(word, request) is first and visits.here().chosen == {"content": "photo"}


@pytest.mark.parametrize("word", ["", "short", "None", "x" * 65, "../../../../../../etc/passwd", "a b" * 10])
def test_a_word_that_can_be_guessed_or_makes_no_sense_names_no_visit(word, monkeypatch, visits):
    request = asked_by("one", monkeypatch)
    assert visits.enter(word, request) is not visits.enter(word, request) and not visits._visits


def test_outside_of_a_page_nothing_is_kept(monkeypatch, visits):
    visits.enter("4-8-15-16-23-42-4-8-15-16", asked_by("", monkeypatch))
    assert not visits._visits and not visits.here().chosen


def test_visits_are_bounded_and_nobody_pushes_others_out(monkeypatch, visits):
    monkeypatch.setattr(visits, "MOST", 5)
    mine = visits.enter("mine-mine-mine-mine-mine", asked_by("mine", monkeypatch))
    for i in range(50):
        visits.enter(f"many-many-many-many-many-{i}", asked_by(f"many {i}", monkeypatch, "192.0.2.99"))
    assert len(visits._visits) <= 5 and len(visits._words) <= 10
    assert visits.enter("mine-mine-mine-mine-mine", asked_by("again", monkeypatch)) is mine


def test_of_results_the_newest_are_kept(visits):
    visit = visits.Visit()
    for task in ("a", "b", "c", "d", "b"):
        visit.paint(task, task.upper())
    assert list(visit.results) == ["c", "d", "b"]
