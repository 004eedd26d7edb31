"""The order in which schemas that refer to each other are published."""

from eventlogging.registry.order import publishing_order, references
from eventlogging.schema.version import Version

ONE, TWO = Version(1, 0, 0), Version(2, 0, 0)


def refers(*refs: str) -> dict[str, object]:
    return {"allOf": [{"$ref": ref} for ref in refs]}


def test_what_is_referred_to_comes_first() -> None:
    order, circle = publishing_order(
        {
            ("A", ONE): refers("/common/z/2.0.0#/$defs/x"),
            ("common/z", TWO): {},
            ("common/z", ONE): {},
        }
    )
    assert circle == []
    assert order.index(("common/z", ONE)) < order.index(("common/z", TWO)) < order.index(("A", ONE))


def test_versions_keep_their_order_without_references() -> None:
    documents: dict[tuple[str, Version], dict[str, object]] = {
        ("A", Version(1, n, 0)): {} for n in (10, 2, 0)
    }
    assert publishing_order(documents)[0] == sorted(documents)


def test_a_circle_is_named() -> None:
    order, circle = publishing_order(
        {("A", ONE): refers("/B/1.0.0"), ("B", ONE): refers("/A/1.0.0")}
    )
    assert order == []
    assert {name for name, _ in circle} == {"A", "B"}


def test_a_schema_may_refer_to_its_own_older_version() -> None:
    order, circle = publishing_order({("A", TWO): refers("/A/1.0.0"), ("A", ONE): {}})
    assert (order, circle) == ([("A", ONE), ("A", TWO)], [])


def test_other_references_are_passed_over() -> None:
    odd = {"a": [{"$ref": "#/x"}, {"$ref": "/A"}, {"$ref": 5}, {"$ref": "http://x/1.0.0"}]}
    assert list(references(odd)) == []
