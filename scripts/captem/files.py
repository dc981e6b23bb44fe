"""Reading and writing of result files: whole or not at all, and the same bytes every time."""

from __future__ import annotations

import glob
import io
import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write `data` to `path` so that a reader sees the old file or the whole new one.

    The bytes go to a file of a unique name in the same folder, which is then renamed: a process
    that is killed leaves nothing half-written under the final name. What it left under the other
    one is removed by the next that writes here.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob(f".{glob.escape(target.name)}.{'?' * 8}"):
        left.unlink(missing_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(target)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError) and not error.filename:
            # A full disk does not say which file it had no room for.
            error.filename = str(target)
        raise


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8 with `\\n` line ends, atomically."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON; a number that is not finite becomes null."""
    write_text(path, json.dumps(_finite(value), indent=2, ensure_ascii=False) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and value not in (float("inf"), float("-inf")) and value == value:
        return value
    return None if isinstance(value, float) else value


def write_frame(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a table as the canonical CSV: UTF-8, `,`, `.`, NA as empty, shortest exact floats."""
    write_text(path, as_csv(frame))


def as_csv(frame: pd.DataFrame) -> str:
    """Return what `frame.to_csv(index=False)` gives, in about a third of its time.

    Each distinct value of a column is printed once; most columns of a large cohort have few.
    """
    if len(frame.columns) < 2 or not frame.columns.is_unique:
        return frame.to_csv(index=False, lineterminator="\n")
    columns = [_printed(frame[name]) for name in frame]
    heading = ",".join(_cell(name) for name in frame)
    return "\n".join([heading, *map(",".join, zip(*columns, strict=True))]) + "\n"


def _printed(column: pd.Series) -> list[str]:
    """Return the cells of a column as a CSV file has them."""
    import numpy as np
    import pandas as pd

    values = column.to_numpy(dtype=object, na_value=None)
    # Equal values that are printed in two ways: 1, 1.0 and True in one column, 0.0 and -0.0.
    texts = column.dtype == object and pd.api.types.infer_dtype(values, skipna=True) in (
        "string",
        "empty",
    )
    if not texts and (column.dtype == object or (column.dtype == float and (column == 0).any())):
        return [_cell(value) for value in values]
    codes, distinct = pd.factorize(column)
    said = np.array([*map(_cell, distinct.tolist()), ""], dtype=object)
    return said[codes].tolist()


def _cell(value: Any) -> str:
    """Return one value as a CSV file has it: NA as nothing, a float with all its digits."""
    if value is None or value != value:
        return ""
    text = (
        value if isinstance(value, str) else repr(value) if isinstance(value, float) else str(value)
    )
    if any(sign in text for sign in ',"\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text


def read_frame(path: str | Path) -> pd.DataFrame:
    """Read a canonical CSV: the columns of `captem.columns` as numbers, all others as text.

    Only an empty cell is missing, so that codes such as `007` or `NA` come back as they were.
    """
    import pandas as pd

    from captem.columns import COUNTS, MEASURES

    frame = pd.read_csv(path, dtype=object, keep_default_na=False, na_values=[""])
    for name in frame.columns:
        if name not in MEASURES and name not in COUNTS:
            continue
        try:
            numbers = frame[name].astype(float)
            frame[name] = numbers if name in MEASURES else numbers.astype("Int64")
        except (TypeError, ValueError):
            # An unknown column of a sheet, kept as it is, may have the name of a number elsewhere.
            continue
    return frame


def same_bytes_zip(data: bytes) -> bytes:
    """Rewrite a zip container (docx, xlsx) with fixed times: equal content, equal bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(packed, "w") as result:
        for member in source.infolist():
            fixed = zipfile.ZipInfo(member.filename, date_time=_EPOCH)
            fixed.compress_type = zipfile.ZIP_DEFLATED
            fixed.external_attr = 0o644 << 16
            result.writestr(fixed, source.read(member.filename))
    return packed.getvalue()
