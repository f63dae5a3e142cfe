"""Public results in a dataset repository on the Hugging Face Hub, kept up by the Hub's own commit scheduler."""

from __future__ import annotations

import json
import logging
import os
import threading
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, CommitScheduler
from huggingface_hub.errors import HfHubHTTPError

from nst.server.results import Store

log = logging.getLogger(__name__)

MINUTES = 5.0
"""Between two commits, and between two tries where the Hub does not answer."""

MOST = 1000
"""Results of one commit."""


class Publisher(CommitScheduler):  # type: ignore[misc]
    """Commits what is new among the public results, and takes back what was deleted.

    What is there already is asked of the Hub each time: so replicas, restarts and outages need no bookkeeping. A
    deleted result leaves the newest state of the repository; its history keeps it, as git does.

    Args:
        repo: "owner/name" of the dataset, made if it is not there.
        token: one that may write there.
        minutes: between two commits.

    Raises:
        OSError: the Hub did not answer, or refused.
    """

    def __init__(self, store: Store, repo: str, token: str, minutes: float = MINUTES) -> None:
        self.store = store
        store.remember_deleted = True
        super().__init__(repo_id=repo, repo_type="dataset", folder_path=store.folder, every=minutes, token=token)

    def push_to_hub(self) -> Any:
        """One commit, if there is anything to tell; called by the scheduler."""
        files = self.api.list_repo_files(self.repo_id, repo_type="dataset")
        there = {name.partition(".")[0].removeprefix("results/") for name in files if name.startswith("results/")}
        gone = [id for id in self.store.deleted() if id in there]
        fresh = [result for result in self.store.latest(MOST) if result.id not in there]
        operations: list[Any] = []
        for result in fresh:
            if picture := self.store.read(result.id, "picture.webp"):
                about = {"id": result.id, "created": result.created, "recipe": result.recipe}
                operations.append(CommitOperationAdd(f"results/{result.id}.webp", picture))
                operations.append(CommitOperationAdd(f"results/{result.id}.json", json.dumps(about, indent=1).encode()))
        operations += [CommitOperationDelete(name) for name in files if name[8:].partition(".")[0] in gone]
        commit = None
        if operations:
            message = f"{len(fresh)} new, {len(gone)} deleted"
            commit = self.api.create_commit(self.repo_id, operations, commit_message=message, repo_type="dataset")
        for id in self.store.deleted():
            self.store.forget_deleted(id)
        return commit


def start(store: Store, minutes: float = MINUTES) -> threading.Event | None:
    """Publish from now on, if PASTICHE_DATASET and HF_TOKEN say where and by whom; on a thread, since the Hub may
    not answer. The event that is returned ends the tries; None if there is nothing to do.
    """
    repo, token = os.environ.get("PASTICHE_DATASET"), os.environ.get("HF_TOKEN")
    if not repo or not token:
        return None
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            try:
                Publisher(store, repo, token, minutes)
                return
            except (OSError, HfHubHTTPError, ValueError) as error:
                log.warning("publishing waits", exc_info=error)
            over.wait(minutes * 60)

    threading.Thread(target=work, daemon=True, name="publish").start()
    return over
