"""The settings that a folder of results is stamped with, so that unlike results never share one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from dnn_topology import store
from dnn_topology._checks import DnnTopologyError, shown
from dnn_topology._records import record_of
from dnn_topology.work.holding import holding

Settings = TypeVar("Settings")
SETTINGS = "settings.json"
LONGEST = 100  # characters of a folder's name


def read_settings(folder: Path, kind: type[Settings]) -> Settings:
    """Return the settings that a folder is stamped with; what an older version does not name has its default.

    Args:
        folder: The folder.
        kind: A dataclass.

    Raises:
        DnnTopologyError: They are missing or damaged, or a newer version wrote them.
    """
    path = folder / SETTINGS
    stamp = read_stamp(folder)
    unknown = sorted(set(stamp) - set(kind.__dataclass_fields__))  # type: ignore[attr-defined]
    if unknown:
        raise DnnTopologyError(
            f"{path} does not describe a {_words(kind)}: it has {shown(unknown[0])}; open it with the version of "
            "dnn-topology that made it, or with the command that it belongs to"
        )
    try:
        return record_of(stamp, kind)
    except DnnTopologyError as error:
        raise DnnTopologyError(f"{path} does not describe a {_words(kind)}: {error}; {_remedy(folder)}") from error


def read_stamp(folder: Path) -> dict[str, Any]:
    """Return what a folder's settings.json says.

    Raises:
        DnnTopologyError: It is missing, damaged, or of a newer format.
    """
    path = folder / SETTINGS
    if folder.is_dir() and not path.exists():
        raise DnnTopologyError(
            f"{folder} has results and no {SETTINGS} that says how they were made: {_remedy(folder)}"
        )
    stamp = store.read_json(path, remedy=_remedy(folder))
    written = stamp.pop("format", store.FORMAT)
    if not isinstance(written, int) or written > store.FORMAT:
        raise DnnTopologyError(
            f"{path} has format {shown(written)}, and this version reads up to {store.FORMAT}: upgrade"
        )
    return stamp


@dataclass(frozen=True)
class Stamp:
    """What tells the results of a folder from those that were made with other settings.

    Attributes:
        settings: As JSON values.
        results: Pattern of the files that are results: settings that led to none bind nobody.
        defaults: The values of settings that an older version's folder does not name.
    """

    settings: Mapping[str, Any]
    results: str
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def home(self, base: Path, stem: str) -> Path:
        """Return the folder for these results, beside those of others: the one that has them, or a new name.

        The first settings have the folder `stem`; that of others adds what differs from them.

        Args:
            base: Where the folders lie.
            stem: The first folder's name.

        Raises:
            DnnTopologyError: The settings of a folder that would serve are damaged.
        """
        differing = self._differing(base / stem)
        if not differing:
            return base / stem
        for other in sorted(base.glob(f"{stem}_*")):
            if (other / SETTINGS).exists() and self._differing(other) == {}:
                return other
        named = "_".join(f"{name}-{_file_text(now)}" for name, (_, now) in differing.items())
        return base / f"{stem}_{named}"[:LONGEST]

    def claim(self, folder: Path, *, free: str = "") -> None:
        """Stamp a folder as the home of these results, or check that it already is.

        Args:
            folder: The folder; it is made if it is missing.
            free: The name of a setting that may differ.

        Raises:
            DnnTopologyError: The folder holds results of other settings, or another process is about to leave some
                there. Nothing is changed.
        """
        with store.readable_errors("write", folder):
            folder.mkdir(parents=True, exist_ok=True)
        ours = holding(folder, lambda: self._claim(folder))
        differing = self._differing(folder, bound=True) or {}
        differing.pop(free, None)
        if differing:
            changes = ", ".join(
                f"{name} was {shown(was)} and is now {shown(now)}" for name, (was, now) in differing.items()
            )
            at_work = "" if ours or any(folder.glob(self.results)) else ", and another process is at work there"
            raise DnnTopologyError(
                f"{folder} was made with other settings ({changes}){at_work}: ask for the same, take another trial= or "
                "save_path=, or delete that folder"
            )

    def _claim(self, folder: Path) -> None:
        """Stamp a folder that holds nothing yet."""
        if self._differing(folder) is None:
            store.write_json(folder / SETTINGS, {"format": store.FORMAT, **self.settings})

    def _differing(self, folder: Path, *, bound: bool = False) -> dict[str, tuple[Any, Any]] | None:
        """Return what differs, as (what the folder has, what is wanted); None for a folder that holds nothing yet.

        Args:
            folder: The folder.
            bound: Whether its settings bind before there are results.

        Raises:
            DnnTopologyError: There are results, and the settings that they were made with are damaged.
        """
        holds = bound or any(folder.glob(self.results))
        try:
            there = {**_plain(self.defaults), **read_stamp(folder)}
        except DnnTopologyError:
            if holds:
                raise
            return None
        wanted = _plain(self.settings)
        differing = {name: (there.get(name), wanted.get(name)) for name in dict.fromkeys([*there, *wanted])}
        differing = {name: (was, now) for name, (was, now) in differing.items() if was != now}
        return differing if holds or not differing else None


def _remedy(folder: Path) -> str:
    """Return what to do about a folder whose settings are lost; nothing but its owner knows what they were."""
    made = "make it again with the command that made it"
    return f"put back a whole copy of it, or delete {folder} with all that is in it and {made}"


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as JSON gives them back."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(settings)))
    return plain


def _file_text(value: Any) -> str:
    """Return a value as part of a folder's name."""
    text = "+".join(map(str, value)) if isinstance(value, list) else str(value)
    return re.sub(r"[^\w.+-]+", "-", text)


def _words(kind: type) -> str:
    """Return a class of settings in words."""
    return {"TrainSettings": "training", "RunMeasureSettings": "measurement"}.get(kind.__name__, kind.__name__)
