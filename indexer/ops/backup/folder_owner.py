"""Acts as the owner of a database's folder when root restores into it.

A compromised service may have placed links in its folder. With the owner's rights they reach nothing that the
service could not reach itself, and new files belong to the owner.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from settlement.store.database import StoreError

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@contextmanager
def acting_as_owner(target: Path) -> Iterator[None]:
    """As root, take the effective user and group of the owner of this database's folder until the end.

    Root stays root in a folder that only root can write, and other users stay who they are. Raises
    StoreError for a database or folder with an unexpected type or owner.
    """
    if os.geteuid() != 0:
        yield
        return
    user, group = _owner(target)
    saved_group, saved_groups = os.getegid(), os.getgroups()
    if user != 0:
        os.setgroups([group])
        os.setegid(group)
        os.seteuid(user)
    try:
        if not os.access(__file__, os.R_OK, effective_ids=True):
            raise StoreError(
                f"user {user} owns {target.parent}, but cannot read this program: run it as that user"
            )
        yield
    finally:
        if user != 0:
            os.seteuid(0)
            os.setegid(saved_group)
            os.setgroups(saved_groups)


def _owner(target: Path) -> tuple[int, int]:
    """User and group to act as for a database's path."""
    folder = target.parent
    status = folder.stat()
    database = _regular_file(target)
    root_only = status.st_uid == 0 and not status.st_mode & _OTHERS_WRITE
    user = status.st_uid
    if user == 0 and not root_only:
        if database is None or database.st_uid == 0:
            raise StoreError(
                f"{folder} belongs to root, but others can write it: run this as the database's user"
            )
        user = database.st_uid
    if not root_only and database is not None and database.st_uid != user:
        raise StoreError(
            f"{target} belongs to user {database.st_uid}, its folder to user {user}: check why, and correct "
            "the owner"
        )
    _check_parents(folder, user)
    return user, status.st_gid


def _regular_file(target: Path) -> os.stat_result | None:
    try:
        status = target.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise StoreError(f"{target} is a link or a special file: root restores only to a regular file")
    return status


def _check_parents(folder: Path, user: int) -> None:
    """Require that nobody but root and that user can replace a folder, or a link, on the path."""
    resolved = folder.resolve()
    for path in {*folder.parents, folder, *resolved.parents, resolved}:
        status = path.lstat()
        replaceable = status.st_mode & _OTHERS_WRITE and not status.st_mode & stat.S_ISVTX
        if status.st_uid not in (0, user) or (user == 0 and replaceable and not stat.S_ISLNK(status.st_mode)):
            raise StoreError(
                f"other users can replace {path}: restore as the database's user instead of root"
            )
