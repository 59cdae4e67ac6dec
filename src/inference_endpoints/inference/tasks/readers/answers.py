"""Read what was found in a text, a table or a document."""

from typing import Any

from inference_endpoints.inference.tasks.outputs import Answer, Entity, MaskCandidate, TableAnswer, keep_extra
from inference_endpoints.inference.tasks.readers import lists_of_objects, one_each, unwrap


def read_answers(payload: Any, count: int) -> list[list[Answer]]:
    """An object, or a list of objects with `top_k`: best first."""
    lists = lists_of_objects(unwrap(payload, "results", "answers"), count)
    return [sorted(map(_answer, rows), key=lambda answer: answer.score or 0.0, reverse=True) for rows in lists]


def _answer(row: Any) -> Answer:
    answer = Answer(str(row["answer"]), _number(row, "score"), _integer(row, "start"), _integer(row, "end"))
    return keep_extra(answer, row)


def read_table_answer(payload: Any, count: int) -> list[TableAnswer]:
    return [_table_answer(row) for row in one_each(payload if isinstance(payload, list) else [payload], count)]


def _table_answer(row: Any) -> TableAnswer:
    cells = [str(cell) for cell in row.get("cells") or []]
    coordinates = [[int(number) for number in pair] for pair in row.get("coordinates") or []]
    return keep_extra(TableAnswer(str(row["answer"]), cells, coordinates, row.get("aggregator")), row)


def read_entities(payload: Any, count: int) -> list[list[Entity]]:
    """In the order of the text."""
    return [[_entity(row) for row in rows] for rows in lists_of_objects(unwrap(payload, "entities", "results"), count)]


def _entity(row: Any) -> Entity:
    group, entity = row.get("entity_group"), row.get("entity", row.get("label"))
    known = Entity(
        str(row["word"] if "word" in row else row["text"]),
        _number(row, "score"),
        _integer(row, "start"),
        _integer(row, "end"),
        None if group is None else str(group),
        None if entity is None else str(entity),
    )
    return keep_extra(known, row, {"text", "label"})


def read_candidates(payload: Any, count: int) -> list[list[MaskCandidate]]:
    """Best first. A text with several masks has a list for each: they follow one another."""
    if count == 1 and isinstance(payload, list) and len(payload) > 1 and isinstance(payload[0], list):
        payload = [row for rows in payload for row in rows]
    return [[_candidate(row) for row in rows] for rows in lists_of_objects(unwrap(payload, "results"), count)]


def _candidate(row: Any) -> MaskCandidate:
    token = row["token_str"] if "token_str" in row else row["tokenStr"]
    candidate = MaskCandidate(str(token), _number(row, "score"), _integer(row, "token"), row.get("sequence"))
    return keep_extra(candidate, row, {"tokenStr"})


def _number(row: Any, name: str) -> float | None:
    return None if row.get(name) is None else float(row[name])


def _integer(row: Any, name: str) -> int | None:
    return None if row.get(name) is None else int(row[name])
