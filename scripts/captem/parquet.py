"""Read a Parquet file as a table of texts."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from captem.cell_text import moment_text, number_text, yes_no
from captem.source_table import WANTED, NotReadableFile, SourceTable, check_size


def read_parquet(data: bytes, name: str) -> SourceTable:
    """Read a Parquet file; `name` is the path as the config gives it.

    A Parquet file has no row of headings: rows are numbered from 1.

    Raises
    ------
    NotReadableFile
        If the file is damaged, has no columns, or a column holds lists, records or bytes.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
        check_size(file.metadata.num_rows, file.metadata.num_columns)
        table = file.read()
        header = [str(column) for column in table.column_names]
        for heading, field in zip(header, table.schema, strict=True):
            _check(heading, field.type)
        texts = [_texts(column) for column in table.columns]
        metadata = table.schema.metadata or {}
        note = metadata.get(b"note", b"").decode("utf-8", "replace").splitlines()
    except NotReadableFile:
        raise
    except Exception as error:  # a damaged file fails in many ways, none foreseen one by one
        raise NotReadableFile(
            "broken_parquet", f"a damaged or incomplete Parquet file ({type(error).__name__})",
            "a Parquet file", "write it again, or copy it again from where it came",
        ) from None  # fmt: skip
    if not header:
        raise NotReadableFile(
            "empty_file", "no columns", WANTED,
            "fill in the file, or name another one in the config",
        )  # fmt: skip
    rows = [list(row) for row in zip(*texts, strict=True)]
    return SourceTable(
        file=name,
        header=header,
        rows=rows,
        numbers=list(range(1, len(rows) + 1)),
        note=[line.strip() for line in note if line.strip().lower().startswith("synthetic")],
    )


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _check(heading: str, kind: pa.DataType) -> None:
    value = _value_type(kind)
    known = (
        pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view,
        pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean,
        pa.types.is_date, pa.types.is_time, pa.types.is_timestamp, pa.types.is_null,
    )  # fmt: skip
    if not any(fits(value) for fits in known):
        raise NotReadableFile(
            "not_a_table", f"column {heading} holds {kind}",
            "texts, numbers, dates and yes/no, one value a cell",
            "leave the column out, or write its values as text",
        )  # fmt: skip


def _texts(column: pa.ChunkedArray) -> list[str]:
    kind = _value_type(column.type)
    column = column.cast(kind)
    if pa.types.is_timestamp(kind):
        # Python has no nanoseconds; seconds are what is shown.
        column = column.cast(pa.timestamp("us", kind.tz), safe=False)
    elif pa.types.is_time(kind):
        column = column.cast(pa.time64("us"), safe=False)
    elif pa.types.is_floating(kind) and kind.bit_width < 64:
        # 9.09 in single precision is 9.09, and not 9.090000152587891.
        return ["" if v != v else number_text(float(str(v))) for v in column.to_numpy()]
    return [_text(value) for value in column.to_pylist()]


def _text(value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return yes_no(value)
    if isinstance(value, int | float):
        return number_text(value)
    return moment_text(value) if hasattr(value, "isoformat") else format(value, "f")
