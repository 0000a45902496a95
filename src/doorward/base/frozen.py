"""Frozen values: dataclasses that cannot be changed, and that cost a starting process next to nothing.

The standard library writes and compiles the methods of a dataclass when its module is imported, half a millisecond for
each class; of all our classes together that was a quarter of the time until a worker was ready. Here a method is
written when it is called for the first time. `dataclasses.fields` and `replace` work as on any dataclass; what is
refused is `InitVar`.
"""

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields, make_dataclass
from typing import Any, NoReturn, TypeVar, dataclass_transform, overload

T = TypeVar("T")

_COMPARING = ("__repr__", "__eq__", "__hash__")


@overload
def frozen(made: type[T]) -> type[T]: ...
@overload
def frozen(*, kw_only: bool) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def frozen(made: type[T] | None = None, *, kw_only: bool = True) -> type[T] | Callable[[type[T]], type[T]]:
    """Make a class a frozen dataclass with slots, whose fields are given by name unless `kw_only` is false."""

    def make(plain: type[T]) -> type[T]:
        return _made(plain, kw_only=kw_only)

    return make if made is None else make(made)


def _made(plain: type[T], *, kw_only: bool) -> type[T]:
    missing = [name for name in _COMPARING if vars(plain).get(name) is None]
    plain.__doc__ = plain.__doc__ or plain.__name__  # else the standard library reads a signature, which takes its time
    made = dataclass(init=False, repr=False, eq=False, slots=True, kw_only=kw_only)(plain)
    _put_stand_in(made, "__init__", lambda: {"__init__": _maker(made)})
    for name in missing:
        _put_stand_in(made, name, lambda: _comparing(made, missing))
    made.__getstate__ = _state
    setattr(made, "__setstate__", _restore)  # noqa: B010 - no class has one by itself, so it cannot be assigned to
    made.__setattr__ = _refuse_change
    made.__delattr__ = _refuse_change
    return made


def _put_stand_in(made: type, name: str, write: Callable[[], dict[str, Any]]) -> None:
    """Put a method in place that has itself and its like written, and is the written one from then on."""

    def method(*arguments: Any, **named: Any) -> Any:
        for each, written in write().items():
            setattr(made, each, written)
        return getattr(made, name)(*arguments, **named)

    setattr(made, name, method)


def _comparing(made: type, names: list[str]) -> dict[str, Any]:
    """Have the standard library write the methods, on a class that has the same fields and nothing else."""
    entries = [(entry.name, entry.type, entry) for entry in fields(made)]
    named = {"__doc__": made.__doc__}  # as in `_made`
    written = make_dataclass(made.__name__, entries, namespace=named, init=False, unsafe_hash=True)
    return {name: vars(written)[name] for name in names}


def _maker(made: type) -> Callable[..., None]:
    """Write `__init__`: each value goes straight into its slot, past the refusal to change."""
    known: dict[str, Any] = {"_missing": MISSING}
    given, by_name, body = ["self"], list[str](), list[str]()
    for entry in fields(made):
        if entry.init:
            (by_name if entry.kw_only else given).append(_parameter(entry, known))
        if entry.init or _has_default(entry):
            known[f"_set_{entry.name}"] = getattr(made, entry.name).__set__
            body.append(f" _set_{entry.name}(self, {_value(entry, known)})")
    if hasattr(made, "__post_init__"):
        body.append(" self.__post_init__()")
    parameters = ", ".join([*given, *(["*", *by_name] if by_name else [])])
    exec("\n".join([f"def __init__({parameters}):", *body, " return None"]), known)  # noqa: S102 - of names in our own classes
    return known["__init__"]


def _parameter(entry: "Field[Any]", known: dict[str, Any]) -> str:
    if not _has_default(entry):
        return entry.name
    known[f"_default_{entry.name}"] = entry.default
    return f"{entry.name}=_default_{entry.name}"


def _value(entry: "Field[Any]", known: dict[str, Any]) -> str:
    """Give the expression for what is put into a slot; a factory is asked where nothing was given."""
    if entry.default_factory is MISSING:
        known[f"_default_{entry.name}"] = entry.default
        return entry.name if entry.init else f"_default_{entry.name}"
    known[f"_make_{entry.name}"] = entry.default_factory
    made = f"_make_{entry.name}()"
    return f"{made} if {entry.name} is _missing else {entry.name}" if entry.init else made


def _has_default(entry: "Field[Any]") -> bool:
    return entry.default is not MISSING or entry.default_factory is not MISSING


def _refuse_change(_self: object, name: str, _value: object = None) -> NoReturn:
    raise FrozenInstanceError(f"a frozen value: {name} cannot be changed")


def _state(self: Any) -> list[object]:
    """Give what a copy is made of."""
    return [getattr(self, entry.name) for entry in fields(self)]


def _restore(self: Any, state: list[object]) -> None:
    """Fill a copy."""
    for entry, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, entry.name, value)
