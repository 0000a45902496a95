"""What a listener promises, both kinds of connection keep: uvicorn's, and those of the public listener."""

from collections.abc import Generator

import pytest

from tests.support.serving import BY_THE_GATEWAY


@pytest.fixture(params=["uvicorn", "gateway"], autouse=True)
def reader(request: pytest.FixtureRequest) -> Generator[str]:
    """Have `tests.support.serving` serve by one protocol, then by the other."""
    token = BY_THE_GATEWAY.set(request.param == "gateway")
    yield request.param
    BY_THE_GATEWAY.reset(token)
