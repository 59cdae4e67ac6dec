"""Reads the tables of an answer's text back as the lists of rows that they were."""

from typing import Any


def without_tables(data: Any) -> Any:
    """The data as the structured content has it."""
    if isinstance(data, list):
        return [without_tables(item) for item in data]
    if not isinstance(data, dict):
        return data
    if {"columns", "rows"} <= data.keys():
        common = data.get("in_all_rows", {})
        rows = [dict(zip(data["columns"], row, strict=True)) for row in data["rows"]]
        return [without_tables(common | {key: cell for key, cell in row.items() if cell is not None}) for row in rows]
    return {key: value if key == "arguments" else without_tables(value) for key, value in data.items()}
