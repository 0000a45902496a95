import pickle
from collections.abc import Callable
from copy import copy, deepcopy
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import Any

import pytest

from doorward.base.frozen import frozen


@frozen
class Sample:
    """Every kind of field, as a frozen value."""

    name: str
    secret: str = field(default="", repr=False)
    tags: list[str] = field(default_factory=list[str])
    note: str = field(default="", compare=False)
    length: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        if self.name == "bad":
            raise ValueError(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """The same, by the standard library alone."""

    name: str
    secret: str = field(default="", repr=False)
    tags: list[str] = field(default_factory=list[str])
    note: str = field(default="", compare=False)
    length: int = field(init=False, default=0)


@frozen
class Longer(Sample):
    """A value that inherits."""

    more: int = 1


@frozen(kw_only=False)
class Point:
    """A value whose fields go by place, with an equality of its own."""

    x: int
    y: int = 2

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and other.x == self.x

    def __hash__(self) -> int:
        return self.x


@pytest.mark.parametrize("given", [{}, {"tags": ["a"]}, {"secret": "s", "note": "n"}])
def test_is_as_the_dataclass_of_the_standard_library(given: dict[str, Any]) -> None:
    """A value has the fields, defaults, text and equality of a dataclass, and a list of its own."""
    value, twin = Sample(name="a", **given), Twin(name="a", **given)
    assert [getattr(value, entry.name) for entry in fields(value)] == [getattr(twin, e.name) for e in fields(twin)]
    assert repr(value) == repr(twin).replace("Twin", "Sample")
    assert value == Sample(name="a", **given)
    assert value != Sample(name="b", **given)
    assert value != twin
    assert Sample(name="c").tags is not Sample(name="c").tags


def test_what_is_not_compared_makes_no_difference() -> None:
    """A field that is not compared counts neither in equality nor in the hash."""
    assert Point(1, 2) == Point(1, 3)
    assert hash(Point(4)) == 4
    assert Sample(name="a", note="x") == Sample(name="a", note="y")
    assert hash(Name(name="a", note="x")) == hash(Name(name="a", note="y")) != hash(Name(name="b"))


@frozen
class Name:
    """A value that can be hashed."""

    name: str
    note: str = field(default="", compare=False)


def pickled(value: Sample) -> Sample:
    """Give a value as another process would get it."""
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - it was written here


@pytest.mark.parametrize("copied", [copy, deepcopy, pickled])
def test_is_copied(copied: Callable[[Sample], Sample]) -> None:
    """A copy, also one that comes out of other memory, is equal and cannot be changed either."""
    value = copied(Sample(name="a", tags=["b"]))
    assert value == Sample(name="a", tags=["b"])
    with pytest.raises(FrozenInstanceError):
        value.name = "c"  # pyright: ignore[reportAttributeAccessIssue] - which is what is tested


def test_cannot_be_changed() -> None:
    """Neither a field nor anything else is set or taken away."""
    value: Any = Sample(name="a")
    with pytest.raises(FrozenInstanceError, match="name"):
        value.name = "b"
    with pytest.raises(FrozenInstanceError, match="name"):
        del value.name
    with pytest.raises(FrozenInstanceError, match="further"):
        value.further = 1
    assert not hasattr(value, "__dict__")


@pytest.mark.parametrize("arguments", [(), ("a",), ("a", "b")])
def test_refuses_what_it_has_no_field_for(arguments: tuple[str, ...]) -> None:
    """Fields that go by name take no place, one without default must be given, and unknown ones are refused."""
    made: Any = Sample
    with pytest.raises(TypeError):
        made(*arguments)
    with pytest.raises(TypeError, match="other"):
        made(name="a", other=1)
    with pytest.raises(TypeError, match="length"):
        made(name="a", length=1)


def test_checks_run_after_every_making() -> None:
    """What a class does once its fields are set is done at the first value, at later ones and in heirs."""
    for made in (Sample, Sample, Longer):
        with pytest.raises(ValueError, match="bad"):
            made(name="bad")


def test_is_replaced_and_inherited() -> None:
    """`replace` gives a value of the same class; an heir has the fields of both."""
    longer = replace(Longer(name="a", secret="s"), more=3)
    assert (longer.name, longer.secret, longer.more) == ("a", "s", 3)
    assert type(longer) is Longer
    assert Longer(name="a") != Sample(name="a")
    assert Point.__match_args__ == ("x", "y")
