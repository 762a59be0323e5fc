"""Files that are either whole or absent: atomic writes, and readers that believe no damaged file.

NumPy is imported where it is needed: commands that only explain themselves import this module too.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
import platform
import re
import secrets
import signal
import sys
import tempfile
import threading
import time
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import psutil

from dnn_topology._checks import DnnTopologyError, shown
from dnn_topology._machine import FULL, CannotWriteError
from dnn_topology._records import record_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


Record = TypeVar("Record")
FORMAT = 1  # of every file written here; raised when an older reader would misread a newer file
PARTIAL = ".partial-"  # start of the name of a file that is being written
STALE = 3600.0  # seconds after which such a file of another machine is what a killed process left
MOST_UNPACKED = 2**26  # bytes of arrays in a small file that are believed
MOST_EXPANDED = 200  # times a file's own size that are believed of a large one
MOST_COLUMNS = 2000  # of a table that are believed
MOST_FIELDS = 2**20  # of a small table that are believed
MOST_TYPED = 2**18  # bytes of a file that somebody wrote by hand
EXACT = 2.0**53  # below it a float is the whole number that was written
AGAIN = "delete it and run again"  # the remedy of files that running again makes again, and of no others
LONGEST_KEY = 500  # parts of a dotted key in TOML
CHUNK = 2**20  # bytes unpacked at a time


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place when the block ends without an exception.

    A reader, a killed process or a full disk therefore never meets half a file.

    Args:
        path: The file to write; its folder is made if it is missing. The temporary file keeps its suffix.

    Yields:
        The path to write to.

    Raises:
        DnnTopologyError: The folder or the file cannot be written.
    """
    with readable_errors("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep_once(path.parent)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=_prefix(), suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            with temporary.open("rb+") as written:
                os.fsync(written.fileno())
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def readable_errors(verb: str, path: Path) -> Iterator[None]:
    """Turn what the operating system says of a file into one line with a remedy.

    Args:
        verb: What was tried, for the message: "read", "write".
        path: The file or folder.

    Yields:
        Nothing.

    Raises:
        DnnTopologyError: The block raised an OSError, or no file has such a name.
        CannotWriteError: The same, of a file that was to be written.
    """
    try:
        os.fsencode(path)
        named = "\0" not in str(path)
    except UnicodeEncodeError:
        named = False
    if not named:
        raise DnnTopologyError(f"cannot {verb} {_named(path)}: no file has such a name")
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if verb == "write":
            full = error.errno in FULL
            raise CannotWriteError(path, f"cannot write {_named(path)}: {reason}", full=full) from error
        raise DnnTopologyError(f"cannot {verb} {_named(path)}: {reason}") from error


def _named(path: Path) -> str:
    """Return a path as a message shows it, whatever characters it has."""
    text = str(path)
    return text if text.isprintable() else ascii(text)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Put Ctrl-C off until the block has ended, in the main thread, which alone is interrupted.

    An interrupt inside a library's first import leaves that library half imported, and what is written then fails.

    Yields:
        Nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: caught.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if caught and callable(before):
        before(signal.SIGINT, None)


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file in one step; one that says just this already may lie in a folder that is for reading only.

    Raises:
        CannotWriteError: It cannot be written, and says something else.
    """
    try:
        with atomic(path) as temporary:
            temporary.write_bytes(content)
    except CannotWriteError as error:
        if error.full or not path.is_file() or path.read_bytes() != content:
            raise


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object, indented, in one step."""
    write_bytes(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())


def read_json(path: Path, *, remedy: str = AGAIN) -> dict[str, Any]:
    """Read a JSON object, in UTF-8 or another encoding of Unicode.

    Args:
        path: The file.
        remedy: What to do where it is none, for the message.

    Raises:
        DnnTopologyError: The file is missing, unreadable or no JSON object.
    """
    with readable_errors("read", path):
        text = path.read_bytes()
    try:
        content = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0][:200]
        raise DnnTopologyError(f"{path} is damaged: {reason}; {remedy}") from error
    if not isinstance(content, dict):
        raise DnnTopologyError(f"{path} is damaged: expected a JSON object; {remedy}")
    return content


def read_record(path: Path, kind: type[Record], *, remedy: str = AGAIN, strict: bool = True) -> Record:
    """Read a JSON object as the record that a dataclass describes.

    Args:
        path: The file.
        kind: The dataclass, or an annotation such as `dict[str, int]`.
        remedy: What to do where it is none, for the message.
        strict: Whether a key that is no field is refused.

    Raises:
        DnnTopologyError: The file is missing or unreadable, or a part of it is missing or of another type.
    """
    content = read_json(path, remedy=remedy)
    try:
        return record_of(content, kind, strict=strict)
    except DnnTopologyError as error:
        raise DnnTopologyError(f"{path} is damaged: {error}; {remedy}") from error


def _no_number(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python reads and JSON has not.

    Raises:
        ValueError: Always.
    """
    raise ValueError(f"{name} is no number in JSON")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, without its index, in one step. Floats keep every digit."""
    write_bytes(path, table.to_csv(index=False).encode())


def read_table(path: Path, remedy: str = AGAIN, *, columns: Mapping[str, type] | None = None) -> pd.DataFrame:
    """Read a table of CSV.

    Args:
        path: The file.
        remedy: What to do where it is none, for the message.
        columns: Columns that it must have → int, or float, whose empty fields are NaN. Others are passed over.

    Raises:
        DnnTopologyError: The file is missing, unreadable or no table, or has not these columns.
    """
    import pandas as pd

    with readable_errors("read", path):
        content = path.read_bytes()
    lines = content.splitlines()
    most = max((line.count(b",") for line in lines), default=0)
    n_announced = lines[0].count(b",") * len(lines) if lines else 0
    if most > MOST_COLUMNS or n_announced > max(MOST_FIELDS, 2 * len(content)):  # every field has a comma
        raise DnnTopologyError(f"{path} is no table in CSV (its lines have not the columns of the first): {remedy}")
    try:
        table = pd.read_csv(io.BytesIO(content), low_memory=False)
    except (ValueError, OverflowError, MemoryError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise DnnTopologyError(f"{path} is no table in CSV ({reason}): {remedy}") from error
    if columns is None:
        return table
    try:
        return pd.DataFrame({name: _column(table, name, kind) for name, kind in columns.items()})
    except _UnreadableError as error:
        raise DnnTopologyError(f"{path} is damaged ({error}): {remedy}") from error


def _column(table: pd.DataFrame, name: str, kind: type) -> pd.Series[Any]:
    """Return a column of a table, as numbers.

    Raises:
        _UnreadableError: There is none, or not of such numbers.
    """
    import numpy as np

    if name not in table:
        raise _UnreadableError(f"it has no column {name}")
    column = table[name]
    if column.dtype.kind not in "iuf" and len(column):
        raise _UnreadableError(f"column {name} must hold numbers, found {shown(column.iloc[0])}")
    values = column.to_numpy(dtype=np.float64)
    if kind is int and not (np.isfinite(values) & (values == np.round(values)) & (np.abs(values) < EXACT)).all():
        raise _UnreadableError(f"column {name} must hold whole numbers")
    if np.isinf(values).any():
        raise _UnreadableError(f"column {name} holds a number that is not finite")
    return column.astype(np.int64 if kind is int else np.float64)


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as one compressed npz, in one step and without pickle.

    The same arrays always give the same bytes.
    """
    import numpy as np

    buffer = io.BytesIO()
    # As `numpy.savez_compressed` does it, of which older versions take allow_pickle= for an array of that name.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
    write_bytes(path, buffer.getbuffer())


def read_arrays(path: Path, *, remedy: str = AGAIN) -> dict[str, NDArray[Any]]:
    """Read all arrays of an npz, without pickle.

    What its headers announce is compared with the size of the file before anything is unpacked.

    Args:
        path: The file.
        remedy: What to do where it is none, for the message.

    Returns:
        Name → array.

    Raises:
        DnnTopologyError: The file is missing, damaged, or would need pickle.
    """
    with readable_errors("read", path):
        content = path.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            announced = sum(member.file_size for member in members)
            if announced > believed(len(content)):
                raise DnnTopologyError(
                    f"{path} announces {announced} bytes of arrays, and has {len(content)}: it is no file of numbers; "
                    f"{remedy}"
                )
            return {member.filename.removesuffix(".npy"): _array(archive, member) for member in members}
    except DnnTopologyError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy's header parser raise what they like on a damaged file
        reason = str(error) if isinstance(error, _UnreadableError) else type(error).__name__
        raise DnnTopologyError(f"{path} is damaged ({reason}); {remedy}") from error


def believed(n_bytes: int) -> int:
    """Return how many bytes a packed file of so many may unpack to; what announces more is not read."""
    return max(MOST_UNPACKED, MOST_EXPANDED * n_bytes)


class _UnreadableError(Exception):
    """Why a member of an archive is no array."""


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    """Return the array of one member of an npz.

    Raises:
        _UnreadableError: It is encrypted, packed in another way than `numpy.savez` does, would need pickle, or is not
            as long as its header says.
    """
    import numpy as np

    if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} or member.flag_bits & 1:
        raise _UnreadableError(f"{member.filename} is encrypted or packed in a way that NumPy does not use")
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, fortran, dtype = header[version](file)
        if dtype.hasobject:
            raise _UnreadableError(f"{member.filename} needs pickle, which may run code")
        n_bytes = math.prod(shape) * dtype.itemsize
        if n_bytes != member.file_size - file.tell() or any(length < 0 for length in shape):
            raise _UnreadableError(f"{member.filename} is not as long as its header says")
        content = np.empty(n_bytes, np.uint8)
        for start in range(0, n_bytes, CHUNK):
            part = file.read(min(CHUNK, n_bytes - start))
            content[start : start + len(part)] = np.frombuffer(part, np.uint8)
        if file.read(1):  # which also compares the checksum
            raise _UnreadableError(f"{member.filename} is longer than its header says")
    array: NDArray[Any] = content.view(dtype) if dtype.itemsize else np.zeros(math.prod(shape), dtype)
    return array.reshape(shape, order="F" if fortran else "C")


class GrowingArray:
    """A `.npy` file of rows (n, width), float32, which never lie in memory all at once.

    Used as a context: the file is there, whole, once the block has ended without an exception and after at least one
    row. Of several that write one file at a time the last to end leaves its own, and each keeps its own rows.

    Args:
        path: The file; its folder is made if it is missing.

    Raises:
        DnnTopologyError: The file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._temporary = path.with_name(f"{_prefix()}{secrets.token_hex(8)}{path.suffix[:16]}")  # others write it too
        self._n_rows, self._width = 0, 0
        self._values: NDArray[np.float32] | None = None

    @property
    def values(self) -> NDArray[np.float32]:
        """All rows, mapped from what was written here, also where another process has replaced the file since."""
        assert self._values is not None
        return self._values

    def add(self, rows: NDArray[np.float32]) -> None:
        """Write rows (n, width) behind those that are there."""
        self._width = rows.shape[1]
        with readable_errors("write", self.path), self._temporary.open("ab") as file:
            if not self._n_rows:
                file.truncate(0)  # what parts without rows left
                file.write(self._header())
            file.write(rows.astype("<f4").tobytes())
        self._n_rows += len(rows)

    # What goes wrong between two calls is the caller's, so only what is done here is explained as an error of the file.
    def __enter__(self) -> GrowingArray:
        with readable_errors("write", self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _sweep_once(self.path.parent)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None and self._n_rows:
                with readable_errors("write", self.path):
                    self._finish()
        finally:
            self._temporary.unlink(missing_ok=True)

    def _finish(self) -> None:
        """Say how many rows there are, and let the file take its place."""
        with self._temporary.open("rb+") as file:
            file.write(self._header())
            file.flush()
            os.fsync(file.fileno())
        if sys.platform != "win32":  # where an open file keeps its name
            self._values = self._mapped(self._temporary)
        self._temporary.replace(self.path)
        if self._values is None:
            self._values = self._mapped(self.path)

    def _header(self) -> bytes:
        """Return the start of the file, which NumPy pads so that the number of rows can grow in place."""
        import numpy as np

        buffer = io.BytesIO()
        about = {"descr": "<f4", "fortran_order": False, "shape": (self._n_rows, self._width)}
        np.lib.format.write_array_header_1_0(buffer, about)
        return buffer.getvalue()

    def _mapped(self, path: Path) -> NDArray[np.float32]:
        """Return the rows, mapped from a file, which may be renamed and replaced then."""
        import numpy as np

        values: NDArray[np.float32] = np.load(path, mmap_mode="r")
        return values


def digest_of(path: Path) -> str:
    """Return what tells the content of a file from others.

    Raises:
        DnnTopologyError: It cannot be read.
    """
    with readable_errors("read", path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file, with or without a byte order mark.

    Raises:
        DnnTopologyError: The file is missing, unreadable or no TOML.
    """
    with readable_errors("read", path):
        text = path.read_bytes()
    if len(text) > MOST_TYPED:
        raise DnnTopologyError(
            f"{path} has {len(text)} bytes, and nobody writes more than {MOST_TYPED} of TOML by hand"
        )
    deep = f"{path} is not TOML that anyone wrote by hand: it is nested too deeply"
    try:
        readable = text.decode("utf-8-sig")
        if any(part.count(".") > LONGEST_KEY for line in readable.splitlines() for part in line.split("=")):
            raise DnnTopologyError(deep)  # time grows with the square of a key's length
        return tomllib.loads(readable)
    except DnnTopologyError:
        raise
    except RecursionError as error:
        raise DnnTopologyError(deep) from error
    except ValueError as error:  # also of a number of more digits than Python reads
        raise DnnTopologyError(f"{path} is not TOML: {' '.join(str(error).split())[:200]}") from error


def check_writable(folder: Path) -> None:
    """Find out, before the work whose results go there, whether a folder can be written to.

    Args:
        folder: The folder; it is made if it is missing.

    Raises:
        CannotWriteError: It cannot.
    """
    with readable_errors("write", folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix=_prefix())
        os.close(handle)
        Path(name).unlink()


def is_writable(folder: Path) -> bool:
    """Return whether a folder, which is made if it is missing, can be written to."""
    try:
        check_writable(folder)
    except CannotWriteError:
        return False
    return True


def sweep(folder: Path, *, below: bool = True) -> None:
    """Remove what processes that were killed while writing left in a folder, and below it."""
    for leftover in folder.glob(f"{'**/' if below else ''}{PARTIAL}*"):
        with contextlib.suppress(OSError):  # another process sweeps too, or the folder is for reading only
            if _is_abandoned(leftover):
                leftover.unlink(missing_ok=True)


@cache
def _sweep_once(folder: Path) -> None:
    """Sweep a folder that is written to, at the first time that this process does."""
    sweep(folder, below=False)


def _is_abandoned(partial: Path) -> bool:
    """Return whether the process that was writing a file is gone."""
    named = re.match(rf"{re.escape(PARTIAL)}(\d+)@(.+?)=", partial.name)
    if named and named[2] == _host():
        return not psutil.pid_exists(int(named[1]))
    return time.time() - partial.stat().st_mtime > STALE


def _prefix() -> str:
    """Return the start of the name of a file that this process is writing."""
    return f"{PARTIAL}{os.getpid()}@{_host()}="


def _host() -> str:
    """Return the name of this machine as part of a file's name."""
    return re.sub(r"[^\w.-]", "-", platform.node())


def _umask() -> int:
    """Return the process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
