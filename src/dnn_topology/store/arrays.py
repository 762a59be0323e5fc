"""Arrays in NumPy's own formats, without pickle: written in one step, and readers that believe no header."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnn_topology._checks import DnnTopologyError
from dnn_topology.store.problems import AGAIN, UnreadableError, readable_errors
from dnn_topology.store.writing import write_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_UNPACKED = 2**26  # bytes of arrays in a small file that are believed
MOST_EXPANDED = 200  # times a file's own size that are believed of a large one
CHUNK = 2**20  # bytes unpacked at a time


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
    write_bytes(path, buffer.getvalue())  # a view of it, left in a traceback, ends Python 3.12.1


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
        reason = str(error) if isinstance(error, UnreadableError) else type(error).__name__
        raise DnnTopologyError(f"{path} is damaged ({reason}); {remedy}") from error


def believed(n_bytes: int) -> int:
    """Return how many bytes a packed file of so many may unpack to; what announces more is not read."""
    return max(MOST_UNPACKED, MOST_EXPANDED * n_bytes)


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    """Return the array of one member of an npz.

    Raises:
        UnreadableError: It is encrypted, packed in another way than `numpy.savez` does, would need pickle, or is not
            as long as its header says.
    """
    import numpy as np

    if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} or member.flag_bits & 1:
        raise UnreadableError(f"{member.filename} is encrypted or packed in a way that NumPy does not use")
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, fortran, dtype = header[version](file)
        if dtype.hasobject:
            raise UnreadableError(f"{member.filename} needs pickle, which may run code")
        n_bytes = math.prod(shape) * dtype.itemsize
        if n_bytes != member.file_size - file.tell() or any(length < 0 for length in shape):
            raise UnreadableError(f"{member.filename} is not as long as its header says")
        content = np.empty(n_bytes, np.uint8)
        for start in range(0, n_bytes, CHUNK):
            part = file.read(min(CHUNK, n_bytes - start))
            content[start : start + len(part)] = np.frombuffer(part, np.uint8)
        if file.read(1):  # which also compares the checksum
            raise UnreadableError(f"{member.filename} is longer than its header says")
    array: NDArray[Any] = content.view(dtype) if dtype.itemsize else np.zeros(math.prod(shape), dtype)
    return array.reshape(shape, order="F" if fortran else "C")
