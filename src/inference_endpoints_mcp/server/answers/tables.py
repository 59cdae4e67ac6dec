"""Lists of rows as tables, as a model reads them: each name of a column once, and once what all rows have in common."""

from typing import Any

FEWEST_ROWS = 3
"""Fewer rows are as short without a table."""
_COPIED = frozenset({"arguments", "config"})
"""What a model copies into a call stays as it is."""
_MISSING = None
"""Stands in a row for what it does not have. No answer has it otherwise."""


def with_tables(data: Any) -> Any:
    """The same data with each list of rows as `{"in_all_rows": {…}, "columns": [names], "rows": [[values], …]}`, in
    which null is what a row does not have; and lists for which that is not shorter, as they are.

    >>> with_tables([{"a": 1, "b": 2}, {"a": 2, "b": 2}, {"a": 3, "b": 2}])
    {'in_all_rows': {'b': 2}, 'columns': ['a'], 'rows': [[1], [2], [3]]}
    """
    if isinstance(data, dict):
        return {key: value if key in _COPIED else with_tables(value) for key, value in data.items()}
    if not isinstance(data, list):
        return data
    items = [with_tables(item) for item in data]
    return _table(items) if _are_rows(data) else items


def _are_rows(items: list[Any]) -> bool:
    """Whether they are rows of few columns, each of which most of them have."""
    if len(items) < FEWEST_ROWS or not all(isinstance(item, dict) and item for item in items):
        return False
    columns = {key for item in items for key in item}
    cells = sum(map(len, items))
    return 2 * cells > len(columns) * len(items) and not any(_MISSING in item.values() for item in items)


def _table(rows: list[dict[str, Any]]) -> dict[str, Any]:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    same = {key: rows[0][key] for key in columns if _is_the_same_in_all(key, rows)}
    columns = [key for key in columns if key not in same]
    values = [[row.get(key, _MISSING) for key in columns] for row in rows]
    return ({"in_all_rows": same} if same else {}) | {"columns": columns, "rows": values}


def _is_the_same_in_all(key: str, rows: list[dict[str, Any]]) -> bool:
    first = rows[0].get(key)
    if isinstance(first, dict | list):
        return False
    return all(key in row and row[key] == first and type(row[key]) is type(first) for row in rows)
